"""The bundle for a Linux board such as a Raspberry Pi: runner, test vectors, requirements, systemd unit."""

from __future__ import annotations

from tflite_compress.bundling.bundle_registry import BundleJob, register_bundle
from tflite_compress.bundling.npu import compile_for_device, explain_refusal
from tflite_compress.bundling.text import render
from tflite_compress.bundling.vectors import encode_npz, make_vectors
from tflite_compress.profiles.devices import Npu
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.isolated import RUNNER
from tflite_compress.support.errors import CompressError
from tflite_compress.support.source_text import identifier

_STATEFUL = """
The model keeps a state from one call to the next. `run` starts from a fresh state. `stream` goes on from the
last call:

    model.reset()
    for frame in frames:
        outputs = model.stream(frame)

The test vectors check both: each vector from a fresh state, and all vectors as one sequence.
"""


@register_bundle("linux", "linux-board", "accelerator")
def make_linux_bundle(job: BundleJob) -> dict[str, bytes]:
    """Make the files for a Linux board: the contents by path within the bundle.

    Raises:
        ModelError: LiteRT refuses the model.
    """
    device = job.device
    vectors = make_vectors(job.content, job.data, host_runtime(seconds=0))
    name = identifier(job.name)
    values = {
        "name": name,
        "device": device.title,
        "threads": device.core.count,
        "vectors": len(vectors),
        "origin": vectors.origin,
        "tolerance": ", ".join(f"{t:g}" for t in vectors.tolerance),
        "npu": "",
        "states": _STATEFUL if vectors.sequence is not None else "",
    }
    files = {
        f"{name}.tflite": job.content,
        "run_model.py": RUNNER.read_bytes(),
        "vectors.npz": encode_npz(vectors),
        "requirements.txt": render("board_requirements.txt"),
        f"{name}.service": render("board.service", **values),
    }
    if job.labels:
        files["labels.txt"] = ("\n".join(job.labels) + "\n").encode()
    if device.npu is not None:
        npu_files, values["npu"] = _npu(name, job.content, device.npu)
        files |= npu_files
    if device.runtime.name == "edgetpu":
        values["npu"] = render("board_edgetpu.md", name=name).decode()
    files["README.md"] = render("board_readme.md", **values)
    return files


def _npu(name: str, content: bytes, npu: Npu) -> tuple[dict[str, bytes], str]:
    """Return the model compiled for the NPU, and the README's section on it."""
    compiled = compile_for_device(npu, content)
    if isinstance(compiled, CompressError):
        return {}, f"\n{explain_refusal(compiled)}\n"
    note = (
        f"\n`{name}_vela.tflite` is the model compiled by Arm's Vela for {npu.accelerator}. "
        "Run it with the board's Ethos-U delegate.\n"
    )
    return {f"{name}_vela.tflite": compiled.content}, note
