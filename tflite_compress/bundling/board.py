"""The bundle for a Linux board such as a Raspberry Pi: a runner, vectors, requirements, a systemd unit."""

from __future__ import annotations

from tflite_compress.bundling.npu import compile_for_device
from tflite_compress.bundling.text import render
from tflite_compress.bundling.vectors import encode_npz, make_vectors
from tflite_compress.data.raw import FileData
from tflite_compress.profiles.devices import Device
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.isolated import RUNNER
from tflite_compress.support.source_text import identifier


def board_bundle(
    content: bytes, device: Device, data: FileData, name: str, labels: tuple[str, ...]
) -> dict[str, bytes]:
    """Files for a Linux board; see ``make_bundle``."""
    vectors = make_vectors(content, data, host_runtime(seconds=0))
    name = identifier(name)
    values = {
        "name": name,
        "device": device.title,
        "threads": device.core.count,
        "vectors": len(vectors),
        "origin": vectors.origin,
        "tolerance": ", ".join(f"{t:g}" for t in vectors.tolerance),
        "npu": "",
    }
    files = {
        f"{name}.tflite": content,
        "run_model.py": RUNNER.read_bytes(),
        "vectors.npz": encode_npz(vectors),
        "requirements.txt": render("board_requirements.txt"),
        f"{name}.service": render("board.service", **values),
    }
    if labels:
        files["labels.txt"] = ("\n".join(labels) + "\n").encode()
    if device.npu is not None:
        npu_files, values["npu"] = _npu(name, content, device)
        files |= npu_files
    if device.runtime.name == "edgetpu":
        values["npu"] = render("board_edgetpu.md", name=name).decode()
    files["README.md"] = render("board_readme.md", **values)
    return files


def _npu(name: str, content: bytes, device: Device) -> tuple[dict[str, bytes], str]:
    """The model compiled for the NPU, or why it is not."""
    compiled, why_not = compile_for_device(device, content)
    if compiled is None:
        return {}, f"\n{why_not}\n"
    assert device.npu is not None
    note = (
        f"\n`{name}_vela.tflite` is the model compiled by Arm's Vela for {device.npu.accelerator}; "
        "run it with the board's Ethos-U delegate.\n"
    )
    return {f"{name}_vela.tflite": compiled.content}, note
