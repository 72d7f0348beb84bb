"""LiteRT.js in a headless Chromium: on the CPU (WebAssembly) or on a GPU in software (SwiftShader)."""

from __future__ import annotations

import json
import re
from typing import Literal, get_args

import msgspec

from tflite_compress.runtimes.browser import run_page
from tflite_compress.runtimes.by_name import Remote, register_runtime
from tflite_compress.runtimes.fold_shapes import DENSE_NOTE, fold_shapes, store_densely
from tflite_compress.runtimes.gpu_log import read_log
from tflite_compress.runtimes.isolated import TIME_LIMIT_S, EncodedArray, decode_arrays
from tflite_compress.runtimes.litert_js import FILES, fetch_packages, import_map, litert_js_version
from tflite_compress.runtimes.refusals import clean
from tflite_compress.runtimes.resize_file import resize_file
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult, Runtime
from tflite_compress.support.errors import ModelError, UsageError
from tflite_compress.support.notes import Note
from tflite_compress.support.source_text import fill_template
from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.state import find_state
from tflite_compress.tflite.tensor_specs import Signature, read_signature

WebAccelerator = Literal["wasm", "webgpu"]
ACCELERATORS: tuple[WebAccelerator, ...] = get_args(WebAccelerator)
WEB_TYPES = ("FLOAT32", "INT32", "UINT8")  # of LiteRT.js 2.5's Tensor
PAGE = "runner.html"
_SCRIPTS = ("runner.js", "litert_model.js")
_GPU_OPTIONS = ("enable-unsafe-webgpu", "use-webgpu-adapter=swiftshader")
_SOURCE = re.compile(r"(?:ERROR|WARNING): |└|\[[^\]]*\.(?:cc|h):\d+\]")
_NOISE = "accelerator could not be loaded"  # of NPUs, in every log


class _Latency(msgspec.Struct):
    median: float
    p90: float
    min: float
    runs: int


class _Reply(msgspec.Struct):
    """What the page posts; ``error`` alone if LiteRT.js fails."""

    log: str = ""
    error: str | None = None
    outputs: list[EncodedArray] = []
    sequence: list[EncodedArray] | None = None
    latency: _Latency | None = None
    load_ms: float = 0.0
    gpu: str | None = None
    is_whole: bool = True
    agent: str = ""


def web_runtime(accelerator: WebAccelerator = "wasm", seconds: float = 0.5) -> Runtime:
    """Return LiteRT.js in a headless Chromium as a runtime.

    Args:
        accelerator: ``wasm`` for the CPU, ``webgpu`` for a GPU in software.
        seconds: Time to measure latency.
    """

    def run(content: bytes, inputs: Arrays) -> RunResult:
        content, notes = fix_batch(content)
        signature = read_signature(content)
        check_web_types(signature)
        files = {name: (FILES / name).read_bytes() for name in _SCRIPTS}
        files[PAGE] = fill_template(FILES / PAGE, import_map=import_map())
        files |= {"model.tflite": content, "job.json": _job(content, signature, inputs, accelerator, seconds)}
        files |= {f"input_{i}": x.tobytes() for i, x in enumerate(inputs)}
        folders = {"node_modules": fetch_packages() / "node_modules"}
        options = _GPU_OPTIONS if accelerator == "webgpu" else ("disable-gpu",)
        posted = run_page(PAGE, files, folders, options, TIME_LIMIT_S)
        return _read(posted, accelerator, notes)

    return run


@register_runtime("litert-web", "npm (fetches LiteRT.js once) and Chromium", "wasm|webgpu", "other kernels")
def _make(detail: str | None, remote: Remote) -> Runtime:
    for accelerator in ACCELERATORS:
        if (detail or "wasm") == accelerator:
            return web_runtime(accelerator)
    raise UsageError(
        f"litert-web has no accelerator '{detail}'", "Choose litert-web:wasm or litert-web:webgpu."
    )


def fix_batch(content: bytes) -> tuple[bytes, tuple[Note, ...]]:
    """Return the file with fixed sizes, as LiteRT.js needs them, and notes on what was changed.

    An open batch is set to 1, and sizes that the file computes from shapes are stored. Weights of the sparse
    format are stored densely.

    Raises:
        ModelError: LiteRT does not run the file with batch 1.
    """
    specs = read_signature(content)
    notes: tuple[Note, ...] = ()
    if any(d < 0 for spec in (*specs.inputs, *specs.outputs) for d in spec.shape):
        content = resize_file(content, {})
        notes = (Note("batch-fixed", "the batch is set to 1: LiteRT.js takes no open sizes"),)
    content, dropped = fold_shapes(content)
    if dropped:
        text = f"sizes that {dropped} operators computed are stored: LiteRT.js takes no computed sizes"
        notes = (*notes, Note("sizes-stored", text))
    content, dense = store_densely(content)
    if dense:
        notes = (*notes, DENSE_NOTE)
    return content, notes


def check_web_types(signature: Signature) -> None:
    """Refuse types of inputs and outputs that LiteRT.js cannot read and write.

    Raises:
        ModelError: An input or output has such a type.
    """
    for spec in (*signature.inputs, *signature.outputs):
        if spec.type not in WEB_TYPES:
            types = ", ".join(name.lower() for name in WEB_TYPES)
            raise ModelError(
                f"'{spec.name}' is of type {spec.type.lower()}; LiteRT.js has inputs and outputs of {types}",
                "Convert it with --io=float32."
                if spec.is_quantized
                else "Make the model return float32 or int32, for example with a Cast at its end.",
            )


def _job(
    content: bytes, signature: Signature, inputs: Arrays, accelerator: WebAccelerator, seconds: float
) -> bytes:
    """Return what the page reads: names, types, number of samples, accelerator."""
    specs = [
        {"name": spec.name, "dtype": x.dtype.str} for spec, x in zip(signature.inputs, inputs, strict=True)
    ]
    job = {
        "accelerator": accelerator,
        "samples": len(inputs[0]),
        "seconds": seconds,
        "stateful": find_state(read_tree(content)).may_exist,
        "inputs": specs,
        "outputs": [spec.name for spec in signature.outputs],
    }
    return json.dumps(job).encode()


def _read(posted: bytes, accelerator: WebAccelerator, notes: tuple[Note, ...]) -> RunResult:
    """Read the page's reply.

    Raises:
        ModelError: LiteRT.js refuses the model.
    """
    try:
        reply = msgspec.json.decode(posted, type=_Reply)
        outputs = decode_arrays(reply.outputs)
        sequence = None if reply.sequence is None else decode_arrays(reply.sequence)
    except ValueError as error:
        raise ModelError(f"the page's reply cannot be read: {error}", "Run it again.") from error
    if reply.error is not None or reply.latency is None:
        reason = _explain(reply.error or "it measured no latency")
        hint = (
            "Convert the model with fixed sizes and batch 1." if "size" in reason else "Use another runtime."
        )
        raise ModelError(f"LiteRT.js refuses the model: {reason}", hint)
    browser = _name_browser(reply.agent)
    where = f"LiteRT.js, {accelerator}, {browser}, this machine"
    kind: Literal["measured", "simulated"] = "measured"
    if accelerator == "webgpu":
        kind, where = "simulated", f"{where}; {reply.gpu}, a GPU in software: not the time of a GPU"
        notes = (*notes, *_gpu_notes(reply))
    costs = (
        Measurement(
            "latency", reply.latency.median, "ms", kind, f"median of {reply.latency.runs} runs, {where}"
        ),
        Measurement("load", reply.load_ms, "ms", kind, where),
    )
    name = f"LiteRT.js {litert_js_version()} ({accelerator}) in {browser}"
    return RunResult(name, outputs, costs, notes, sequence)


def _gpu_notes(reply: _Reply) -> tuple[Note, ...]:
    """Say what the GPU leaves to the CPU: the log says so even where LiteRT.js reports a whole model."""
    log = read_log(reply.log)
    if reply.is_whole and log.on_gpu is None and not log.refused:
        return (Note("gpu-whole", "the GPU computes all operators"),)
    reasons = "; ".join(f"{r.operator}: {r.reason}" for r in log.refused)
    text = "the GPU does not take all operators: the CPU computes the others"
    if log.on_gpu is not None:
        text = f"the GPU computes {log.on_gpu} operators and the CPU {log.on_cpu}"
    return (Note("gpu-part", f"{text} ({reasons})" if reasons else text, "warning"),)


def _explain(message: str) -> str:
    """Return an error of LiteRT.js without positions in its source code."""
    found = dict.fromkeys(" ".join(_SOURCE.sub("", line).split()) for line in message.splitlines())
    return clean("; ".join(text for text in found if text and _NOISE not in text))


def _name_browser(agent: str) -> str:
    found = re.search(r"(?:Headless)?(Chrome|Edg)/(\d+)", agent)
    return f"{'Chromium' if found[1] == 'Chrome' else 'Edge'} {found[2]}" if found else "a browser"
