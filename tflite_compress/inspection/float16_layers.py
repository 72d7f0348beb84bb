"""Compare each layer of a float file on the GPU accelerator, in float16, with the CPU, in float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tflite_compress.inspection.float16_peaks import FLOAT16_MAX
from tflite_compress.inspection.layer_errors import Layer, Sums, median_db, sources_of, to_db
from tflite_compress.runtimes.all_tensors import LoadedModel, LoadedOperator
from tflite_compress.runtimes.gpu_driver import GpuDriver
from tflite_compress.runtimes.gpu_jobs import run_one_on_gpu
from tflite_compress.support.errors import CompressError
from tflite_compress.support.notes import Note
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import pack, schema, unpack
from tflite_compress.tflite.layer_names import LayerTable
from tflite_compress.tflite.tensor_specs import read_signature

MAX_EXPOSED = 200
GPU_SECONDS = 120.0


@dataclass(frozen=True)
class Float16Layers:
    """The layers in float16.

    Attributes:
        layers: One entry for each operator that computes float values, in order of execution.
        notes: Why the accelerator was not asked; empty if it was.
    """

    layers: tuple[Layer, ...]
    notes: tuple[Note, ...]


def compare_in_float16(
    content: bytes,
    inputs: tuple[np.ndarray, ...],
    names: tuple[str, ...],
    layers: LayerTable,
    driver: GpuDriver = "software",
) -> Float16Layers:
    """Compare layers on the GPU accelerator with the CPU.

    Where the accelerator is not set up, only the rounding of each layer's own output is simulated.

    Args:
        content: A float ``.tflite`` with a batch of 1.
        inputs: Samples, one array for each input, shape (samples, ...).
        names: Signature names of the inputs, in that order.
        layers: The layers of the Keras model it was made from.
        driver: ``software``, or ``device`` for the machine's own GPU.
    """
    model = LoadedModel(content, layers)
    editor = GraphEditor(unpack(content))
    observed = [
        op
        for op in model.operators
        if op.computes and editor.is_float(op.output) and not editor.is_constant(op.output)
    ]
    observed = _evenly(observed, MAX_EXPOSED)
    notes: tuple[Note, ...] = ()
    try:
        on_gpu = _values_on_gpu(content, [op.output for op in observed], inputs, names, driver)
    except CompressError as error:
        on_gpu = {}
        hint = f" {error.hint}" if error.hint else ""
        text = f"layers were not run in float16, only their rounding is simulated: {error.message}.{hint}"
        notes = (Note("gpu-not-measured", text, "warning"),)
    sums = {op.name: Sums() for op in observed}
    for index in range(len(inputs[0])):
        model.run(tuple(x[index : index + 1] for x in inputs), names)
        for op in observed:
            _add(sums[op.name], model.value(op.output), on_gpu.get(op.output), index)
    found = tuple(_layer(op, sums, model) for op in observed if sums[op.name].count)
    return Float16Layers(found, notes)


def _evenly(items: list[LoadedOperator], most: int) -> list[LoadedOperator]:
    """Return at most so many items, evenly spaced."""
    if len(items) <= most:
        return items
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, most).astype(int))]


def _add(sums: Sums, real: np.ndarray, on_gpu: np.ndarray | None, index: int) -> None:
    with np.errstate(over="ignore"):
        own = real.astype(np.float16).astype(np.float32)
    found = own if on_gpu is None else on_gpu[index].reshape(real.shape)
    own, found = (np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0) for x in (own, found))
    sums.add(real, found, own, (-FLOAT16_MAX, FLOAT16_MAX))


def _values_on_gpu(
    content: bytes,
    tensors: Sequence[int],
    inputs: tuple[np.ndarray, ...],
    names: tuple[str, ...],
    driver: GpuDriver,
) -> dict[int, np.ndarray]:
    """Run a file on the accelerator and return the values of some tensors, shape (samples, ...)."""
    exposed = expose_tensors(content, tensors)
    arrays = dict(zip(names, inputs, strict=True))
    signature = read_signature(exposed)
    raw = tuple(spec.to_raw(arrays[spec.name]) for spec in signature.inputs)
    run = run_one_on_gpu(exposed, raw, driver=driver, limit_seconds=GPU_SECONDS)
    outputs = zip(signature.outputs, run.outputs or (), strict=True)
    return {spec.tensor: values for spec, values in outputs if spec.tensor in tensors}


def expose_tensors(content: bytes, tensors: Sequence[int]) -> bytes:
    """Return a file in which tensors of the main graph are outputs too."""
    tree = unpack(content)
    graph = tree.subgraphs[0]
    known = {int(i) for i in graph.outputs}
    added = [i for i in dict.fromkeys(tensors) if i not in known]
    graph.outputs = [*(int(i) for i in graph.outputs), *added]
    for signature in tree.signatureDefs or []:
        if signature.subgraphIndex == 0:
            entries = [schema().TensorMapT(name=f"observed_{i}", tensorIndex=i) for i in added]
            signature.outputs = [*(signature.outputs or []), *entries]
    return pack(tree)


def _layer(op: LoadedOperator, sums: dict[str, Sums], model: LoadedModel) -> Layer:
    found = sums[op.name]
    sources = [source for source in sources_of(op, model) if source.name in sums]
    before = [sums[source.name] for source in sources]
    inherited = max((s.noise / s.signal for s in before if s.signal), default=0.0)
    relative = found.noise / found.signal if found.signal else 0.0
    norms = np.sqrt(found.signal * found.norm)
    return Layer(
        name=op.layer,
        operator=op.kind,
        snr_db=to_db(found.signal, found.noise),
        cosine=found.dot / norms if norms else float(found.signal == 0),
        own_snr_db=to_db(found.signal, found.own_noise),
        added_noise=max(0.0, relative - inherited),
        clipped=found.clipped / found.count,
        low=found.low,
        high=found.high,
        range_low=-FLOAT16_MAX,
        range_high=FLOAT16_MAX,
        weights_snr_db=None,
        weights_cosine=None,
        per_channel=False,
        weight_spread=1.0,
        inputs=tuple(source.layer for source in sources),
        channel_db=median_db(found),
        outlier_channels=(),
    )
