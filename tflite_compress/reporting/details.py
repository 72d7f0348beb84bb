"""Measure what the page shows in detail: bytes by layer, times of operators, worst layers, sample images.

None of it decides anything. What cannot be found is left out with a note; the run still has its result.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeVar

from tflite_compress.inspection.weights import read_weights
from tflite_compress.models.layer_table import layer_table
from tflite_compress.passes import Context, ConvertedModel, FloatModel, Stage
from tflite_compress.passes.convert import float_file
from tflite_compress.pipeline.candidates import Attempt
from tflite_compress.reporting.classes import class_figures
from tflite_compress.reporting.detail_figures import (
    Details,
    LayerBytes,
    OperatorRow,
    OperatorTimes,
)
from tflite_compress.reporting.histograms import LayerErrors, measure_layer_errors
from tflite_compress.reporting.network_operators import read_operators
from tflite_compress.reporting.pictures import sample_pictures
from tflite_compress.support.errors import CompressError
from tflite_compress.support.notes import Note
from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.layer_names import NO_LAYERS, LayerTable
from tflite_compress.timing.prefixes import find_cuts
from tflite_compress.timing.profile import profile_content

OPERATOR_SHARE = 1.5  # time for operators, relative to that for the model's latency
MAX_PARAMETERS = 5_000_000
INTEGER = ("int8", "int16x8")
T = TypeVar("T")


def collect_details(baseline: bytes, chosen: Attempt, context: Context, latency_seconds: float) -> Details:
    """Measure everything the page shows besides figures.

    Args:
        baseline: The original as plain float32 ``.tflite``.
        chosen: The attempt whose file is kept.
        context: The original model on the data, and results that passes share.
        latency_seconds: Time that the model's latency was measured; operators are timed half as long again.
    """
    reference, progress = context.reference, context.progress
    runs_here = chosen.model.for_litert
    assert chosen.outputs is not None
    missing: list[Note] = []
    seconds = OPERATOR_SHARE * latency_seconds

    def attempt(what: str, compute: Callable[[], T]) -> T | None:
        try:
            return compute()
        except CompressError as error:
            missing.append(Note("detail-missing", f"{what}: {error.message}"))
            return None

    with progress.step("timing its operators"):
        times = attempt("time of each operator", lambda: operator_times(runs_here, seconds))
    with progress.step("comparing its layers"):
        errors = attempt("most quantization-sensitive layers", lambda: _errors(chosen, context))
    errors = errors or LayerErrors()
    return Details(
        layers=layer_bytes(baseline, runs_here, layer_table(reference.network)),
        operator_times=times,
        worst_layers=errors.worst,
        pictures=sample_pictures(reference, chosen.outputs),
        missing=tuple(missing),
        classes=class_figures(reference, chosen.outputs),
        graph=read_operators(
            runs_here, layer_table(chosen.model.network), single_times(runs_here, times), errors.added_noise
        ),
    )


def layer_bytes(baseline: bytes, result: bytes, layers: LayerTable = NO_LAYERS) -> tuple[LayerBytes, ...]:
    """Count bytes of each layer's weights before and after, in the baseline's order of execution.

    Layers are matched by name.

    Args:
        baseline: A ``.tflite``.
        result: Another one made from the same model.
        layers: The layers of the Keras model.
    """
    sides = []
    for content in (baseline, result):
        found: dict[str, int] = {}
        for tensor in read_weights(read_tree(content), layers):
            found[tensor.layer] = found.get(tensor.layer, 0) + tensor.bytes
        sides.append(found)
    names = dict.fromkeys([*sides[0], *sides[1]])
    return tuple(LayerBytes(layer=n, before=sides[0].get(n, 0), after=sides[1].get(n, 0)) for n in names)


def operator_times(content: bytes, seconds: float) -> OperatorTimes:
    """Measure the time of each operator of a file on this machine; see :mod:`tflite_compress.timing.profile`.

    Args:
        content: A valid ``.tflite``.
        seconds: Approximate time for everything.

    Raises:
        ModelError: The file has no operators, or LiteRT refuses it.
    """
    found = profile_content(content, "", seconds=seconds, needs_roofline=False)
    rows = tuple(
        OperatorRow(
            operator=row.kinds,
            layer=row.layer,
            ms=row.ms,
            is_above_noise=row.is_above_noise,
            macs=row.macs,
            gmacs_per_s=row.gmacs_per_s,
            index=row.index,
        )
        for row in found.rows
    )
    return OperatorTimes(method=found.method, source=found.where, total_ms=found.total_ms, rows=rows)


def single_times(content: bytes, times: OperatorTimes | None) -> dict[int, float]:
    """Return times in ms of operators that were timed alone and are above the noise, by index.

    Operators that only unpack weights are timed with none: runtimes run them once, when they load the file.

    Args:
        content: The file that was timed.
        times: Times of its operators.
    """
    rows = sorted(times.rows, key=lambda row: row.index or 0) if times else []
    befores = [-1, *(row.index for row in rows)]
    following = dict(itertools.pairwise([-1, *find_cuts(read_tree(content))]))
    return {
        row.index: row.ms
        for row, before in zip(rows, befores, strict=False)
        if row.index is not None and before is not None
        if row.is_above_noise and row.index == following.get(before)
    }


def _errors(chosen: Attempt, context: Context) -> LayerErrors:
    """Compare layers with the float network; empty where nothing was rounded to integers."""
    steps = [step for step in chosen.steps if step.config.stage is Stage.CONVERT]
    converted = [step.model for step in steps if isinstance(step.model, ConvertedModel)]
    network = chosen.model.network
    if not converted or chosen.recipe.conversion.precision not in INTEGER:
        return LayerErrors()
    if network.parameter_count() > MAX_PARAMETERS:
        raise CompressError(f"the model has over {MAX_PARAMETERS:,} parameters; see 'diagnose'")
    network, plain = float_file(FloatModel(network), context)
    samples = context.reference.splits.evaluate.inputs
    return measure_layer_errors(network, plain, converted[-1].flatbuffer, samples)
