"""The bundle for a browser: a page, the module that runs the model, test vectors, pinned packages."""

from __future__ import annotations

import base64
import hashlib
import json

import numpy as np

from tflite_compress.bundling.bundle_registry import BundleJob, register_bundle
from tflite_compress.bundling.float16 import float16_tolerance
from tflite_compress.bundling.gpu_parts import GpuParts, find_parts, python_values
from tflite_compress.bundling.text import render
from tflite_compress.bundling.vectors import Preprocessing, Vectors, allowed_differences, make_vectors
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.litert_js import FILES, LOCK, PACKAGE, import_map, litert_js_version
from tflite_compress.runtimes.litert_web import WebAccelerator, check_web_types, fix_batch
from tflite_compress.support.source_text import identifier
from tflite_compress.tflite.tensor_specs import FileTensorSpec, Signature, read_signature

_SCRIPTS = {"page.css": "web_page.css", "page.js": "web_page.js", "samples.js": "web_samples.js"}
_STATEFUL = """
The model keeps a state from one `run` to the next: load it again to start a new sequence. The test vectors
are one sequence.
"""
_TAIL = """
The post-processing is a file of its own, because the GPU refuses {names}. `SplitModel` runs it on the CPU
behind the model, and passes {bytes} bytes on. `bundle --keep-graph` writes one file, which the GPU runs in
browsers with JSPI only.
"""
_USAGE = """    import {{{name}}} from './litert_model.js';
    const model = await {name}.load({source}, '{accelerator}');"""
_WASM_RULE = "what rounding of other kernels explains"


@register_bundle("web", "browser", default_device="web-wasm")
def make_web_bundle(job: BundleJob) -> dict[str, bytes]:
    """Make the files of a page: the contents by path within the bundle.

    Raises:
        ModelError: LiteRT refuses the model, or LiteRT.js lacks the type of an input or output.
    """
    content, notes = fix_batch(job.content)
    vectors = make_vectors(content, job.data, host_runtime(seconds=0))
    check_web_types(vectors.signature)
    name = identifier(job.name)
    accelerator: WebAccelerator = "webgpu" if job.device.runtime.accelerator == "gpu" else "wasm"
    parts = find_parts(job, content, vectors)
    half = float16_tolerance(content, vectors, parts)
    allowed = {
        "wasm": allowed_differences(content, vectors.expected, "other kernels"),
        "webgpu": half.values,
    }
    rules = {"wasm": _WASM_RULE, "webgpu": half.rule}
    record = _record(job, vectors, f"{name}.tflite", accelerator)
    record |= {"tolerance": allowed, "rule": rules}
    if parts is not None:
        record["split"] = _split_record(parts, name, vectors.signature)
    values = {
        **_readme_values(job, vectors),
        "name": name,
        "file": f"{name}.tflite",
        "size": f"{len(content):,}",
        "accelerator": accelerator,
        "batch": "".join(f"\nIn the file, {note.text}.\n" for note in notes),
        **{f"tolerance_{kind}": ", ".join(f"{t:.3g}" for t in limits) for kind, limits in allowed.items()},
        **{f"rule_{kind}": rule for kind, rule in rules.items()},
        **_tail_values(name, accelerator, parts),
    }
    return {
        "index.html": render(
            "web_index.html", **values, import_map=import_map(), import_hash=_hash(import_map())
        ),
        **{path: render(template) for path, template in _SCRIPTS.items()},
        "preprocess.js": render("web_preprocess.js", **values, body=_preprocess_body(job.preprocessing)),
        **{path: (FILES / path).read_bytes() for path in ("litert_model.js", PACKAGE, LOCK)},
        **_model_files(name, content, parts),
        "model.json": (json.dumps(record, indent=1) + "\n").encode(),
        **_vector_files(vectors),
        "README.md": render("web_readme.md", **values),
    }


def _model_files(name: str, content: bytes, parts: GpuParts | None) -> dict[str, bytes]:
    """Return the model's file, or both files with the Python that runs them."""
    if parts is None:
        return {f"{name}.tflite": content}
    run_both = python_values(parts, f"{name}.tflite", f"{name}_tail.tflite")
    return {
        f"{name}.tflite": parts.split.head,
        f"{name}_tail.tflite": parts.split.tail,
        "run_both.py": render("run_both.py.txt", name=name, **run_both),
    }


def _split_record(parts: GpuParts, name: str, signature: Signature) -> dict[str, object]:
    """Return what ``SplitModel`` of ``litert_model.js`` needs to run both files."""
    head, tail = read_signature(parts.split.head), read_signature(parts.split.tail)
    return {
        "head": f"{name}.tflite",
        "tail": f"{name}_tail.tflite",
        "inputs": [spec.name for spec in signature.inputs],
        "passed": [spec.name for spec in tail.inputs],
        "headOutputs": [spec.name for spec in head.outputs],
        "tailOutputs": [spec.name for spec in tail.outputs],
        "outputs": [{"part": source.part, "place": source.place} for source in parts.split.outputs],
    }


def _tail_values(name: str, accelerator: WebAccelerator, parts: GpuParts | None) -> dict[str, str]:
    """Return what the README inserts for one or two files."""
    if parts is None:
        return {
            "tail_row": "",
            "tail_section": "",
            "usage": _USAGE.format(name="WebModel", source=f"'{name}.tflite'", accelerator=accelerator),
        }
    fetched = "    const {split} = await (await fetch('model.json')).json();\n"
    usage = _USAGE.format(name="SplitModel", source="split", accelerator=accelerator)
    first, _, second = usage.partition("\n")
    size = f"{parts.split.passed_bytes:,}"
    return {
        "tail_row": f"\n| `{name}_tail.tflite` | its post-processing, for the CPU |"
        "\n| `run_both.py` | runs both files in Python |",
        "tail_section": _TAIL.format(names=parts.names, bytes=size),
        "usage": f"{first}\n{fetched}{second}",
    }


def _readme_values(job: BundleJob, vectors: Vectors) -> dict[str, object]:
    """Return what the page and its README say of device, packages and test vectors."""
    return {
        "device": job.device.title,
        "version": litert_js_version(),
        "vectors": len(vectors),
        "origin": vectors.origin,
        "preprocessing": _describe(job.preprocessing),
        "states": _STATEFUL if vectors.sequence is not None else "",
    }


def _record(job: BundleJob, vectors: Vectors, file: str, accelerator: WebAccelerator) -> dict[str, object]:
    """Return what the page reads from ``model.json``, without tolerances."""
    return {
        "file": file,
        "accelerator": accelerator,
        "inputs": [_spec_record(spec) for spec in vectors.signature.inputs],
        "outputs": [_spec_record(spec) for spec in vectors.signature.outputs],
        "labels": list(job.labels),
        "vectors": {
            "count": len(vectors),
            "origin": vectors.origin,
            "state": "fresh" if vectors.sequence is None else "sequence",
        },
    }


def _spec_record(spec: FileTensorSpec) -> dict[str, object]:
    """Return an input or output; the scale is 0 if it is not quantized."""
    return {
        "name": spec.name,
        "type": spec.type,
        "shape": list(spec.fixed_shape),
        "scale": spec.scale if spec.is_quantized else 0,
        "zeroPoint": spec.zero_point,
    }


def _vector_files(vectors: Vectors) -> dict[str, bytes]:
    """Return the raw values of all vectors, one file per input and output, little-endian.

    LiteRT.js keeps the state between runs: for models with a state the outputs are those of one sequence.
    """
    expected = vectors.expected if vectors.sequence is None else vectors.sequence
    sides = (("input", vectors.inputs), ("expected", expected))
    return {
        f"vectors/{side}_{i}.bin": np.ascontiguousarray(x, x.dtype.newbyteorder("<")).tobytes()
        for side, arrays in sides
        for i, x in enumerate(arrays)
    }


def _describe(preprocessing: Preprocessing) -> str:
    if not preprocessing.is_known:
        return f"your function {preprocessing.name}, which you port to JavaScript"
    if (preprocessing.mean, preprocessing.std) == (0.0, 1.0):
        return "none, the model takes the values as they are"
    return f"(value - {preprocessing.mean:g}) / {preprocessing.std:g}"


def _preprocess_body(preprocessing: Preprocessing) -> str:
    if not preprocessing.is_known:
        message = f"port your function {preprocessing.name} to preprocess.js"
        return f"  throw new Error({json.dumps(message)});"
    if (preprocessing.mean, preprocessing.std) == (0.0, 1.0):
        return "  return values;"
    return (
        f"  return Array.from(values, (value) => (value - {preprocessing.mean!r}) / {preprocessing.std!r});"
    )


def _hash(script: str) -> str:
    """Return the source of an inline script for a Content-Security-Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
