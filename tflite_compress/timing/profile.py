"""Profile a model: the time of each operator.

LiteRT's Python interpreter has no timer for single operators. The model is therefore cut behind each
operator, neighbouring cuts are timed interleaved in one process, and an operator's time is the difference
between two neighbouring cuts in the same round. Where the time is too short for all cuts, or LiteRT refuses
one, several operators are timed together.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Literal

import numpy as np

from tflite_compress.data.opened_file import open_content, with_input_shape
from tflite_compress.data.sources import DataSource, Preprocess
from tflite_compress.support.errors import ModelError
from tflite_compress.support.input_shape import InputShape
from tflite_compress.support.notes import Note
from tflite_compress.support.progress import Progress, Silent
from tflite_compress.tflite.flatbuffer import element_bytes, operator_name, type_name
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.tflite.layer_names import NO_LAYERS
from tflite_compress.tflite.macs import find_stored
from tflite_compress.tflite.operator_work import count_operator
from tflite_compress.tflite.tree import ModelTree, Tensor, shape_of
from tflite_compress.timing.cut_timing import CutSettings, CutTimes, plan_cuts, time_cuts
from tflite_compress.timing.interleaved import Kernels
from tflite_compress.timing.machine import machine_name
from tflite_compress.timing.prefixes import CutModel
from tflite_compress.timing.roofline import Roofline, measure_roofline

METHOD = "growing prefixes: the model cut behind each operator, neighbouring cuts timed interleaved"
MAX_IN_REPR = 5
MAX_REFUSALS = 3


@dataclass(frozen=True)
class OperatorTime:
    """The time of one operator, or of several that were timed together.

    Attributes:
        index: Index in the order of execution; of the last one of several.
        operator: Its name in ``schema.fbs``.
        layer: The Keras layer it came from, if the tensor names tell; else an empty string.
        joined: Names of the operators before it that were timed together with it.
        type: Type of its first input in ``schema.fbs``; None if it has no input.
        ms: Median time in ms; below the measurement noise it may be slightly negative.
        low_ms: Lower end of its 95 % interval.
        high_ms: Upper end of its 95 % interval.
        macs: Multiply-accumulates (MACs); None if they cannot be counted.
        moved_bytes: Bytes of its inputs, weights and outputs.
        gmacs_per_s: Achieved 10^9 MACs per second; None without MACs, or below the measurement noise.
        attainable: The machine's maximum for it in 10^9 MACs per second; None if it was not measured.
        bound: What limits that maximum; None if it was not measured.
    """

    index: int
    operator: str
    layer: str
    joined: tuple[str, ...]
    type: str | None
    ms: float
    low_ms: float
    high_ms: float
    macs: int | None
    moved_bytes: int
    gmacs_per_s: float | None
    attainable: float | None
    bound: Literal["compute", "memory"] | None

    @property
    def is_above_noise(self) -> bool:
        """True if the time is above the measurement noise."""
        return self.low_ms > 0

    @property
    def kinds(self) -> str:
        """The operator, or all that were timed together with their counts, as text."""
        counts = Counter([*self.joined, self.operator])
        return ", ".join(f"{n} {kind}" if len(self.joined) else kind for kind, n in counts.items())


@dataclass(frozen=True, repr=False)
class Profile:
    """A model's operators with their times.

    Attributes:
        name: The file.
        where: The machine.
        kernels: The kernels used.
        threads: CPU threads.
        total_ms: Median time of the whole model in ms, in the same rounds.
        rows: One per operator of the main graph, or per group that was timed together; their times add up to
            the total, up to noise.
        roofline: The machine's measured peak rates.
        operators: Number of operators of the main graph.
        notes: Why operators were timed together.
        method: How the times were measured.
    """

    name: str
    where: str
    kernels: str
    threads: int
    total_ms: float
    rows: tuple[OperatorTime, ...]
    roofline: Roofline
    operators: int
    notes: tuple[Note, ...] = ()
    method: str = METHOD

    def __repr__(self) -> str:
        slowest = sorted(self.rows, key=lambda row: -row.ms)[:MAX_IN_REPR]
        rows = "; ".join(f"{r.kinds[:60]} {r.layer[-40:]} {r.ms:.4g} ms" for r in slowest)
        text = f"<Profile of {self.name[-100:]}: {self.total_ms:.4g} ms, {self.operators} operators"
        return f"{text}; slowest: {rows}>"

    def _repr_html_(self) -> str:
        """Return the operators' times as an HTML table for notebooks."""
        rows = "".join(
            f"<tr><td>{r.index}</td><td>{escape(r.kinds)}</td><td>{escape(r.layer)}</td>"
            f"<td>{f'{r.ms:.4g}' if r.is_above_noise else 'below noise'}</td></tr>"
            for r in self.rows
        )
        head = "<tr><th>#</th><th>operator</th><th>layer</th><th>ms</th></tr>"
        return f"<p>{escape(self.name)}: {self.total_ms:.4g} ms</p><table>{head}{rows}</table>"


def profile(
    model: str | os.PathLike[str],
    threads: int = 1,
    kernels: Kernels = "xnnpack",
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    seconds: float = 5.0,
    progress: Progress | None = None,
    input_shape: InputShape | None = None,
) -> Profile:
    """Time a ``.tflite`` operator by operator on this machine.

    Args:
        model: The file.
        threads: CPU threads.
        kernels: ``xnnpack``, ``no-delegate`` or ``reference``.
        data: Samples, of which the first is used; random inputs by default.
        preprocess: ``none``, ``unit``, ``symmetric``, or ``module:function``.
        seconds: Approximate time for everything. Models with many operators, or slow ones, are timed in
            groups of operators.
        progress: Where to report progress.
        input_shape: Sizes of the inputs without the batch, for open dimensions; those of the data by default.

    Returns:
        The time of each operator of the main graph, or of groups of them.

    Raises:
        ModelError: The file is missing, damaged, or refused by the runtime.
    """
    content = read_validated(Path(model))
    if input_shape is not None:
        content, _ = with_input_shape(content, input_shape)
    return profile_content(content, str(model), threads, kernels, data, preprocess, seconds, progress)


def profile_content(
    content: bytes,
    name: str,
    threads: int = 1,
    kernels: Kernels = "xnnpack",
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    seconds: float = 5.0,
    progress: Progress | None = None,
) -> Profile:
    """Profile a valid ``.tflite`` in memory; see :func:`profile`.

    Args:
        content: The file's bytes.
        name: Name of the file in the result.
        threads: CPU threads.
        kernels: ``xnnpack``, ``no-delegate`` or ``reference``.
        data: Samples, of which the first is used; random inputs by default.
        preprocess: ``none``, ``unit``, ``symmetric``, or ``module:function``.
        seconds: Approximate time for everything. Models with many operators, or slow ones, are timed in
            groups of operators.
        progress: Where to report progress.

    Raises:
        ModelError: The runtime refuses it, or it has no operators.
    """
    progress = progress or Silent()
    opened = open_content(content, data, preprocess, None, 1)
    if opened.sizes is not None:
        progress.say(opened.sizes)
    content, inputs = opened.content, opened.samples.first(1).raw
    model = CutModel(content)
    if not model.cuts:
        raise ModelError(f"{name or 'the file'} has no operators to time", None)
    settings = CutSettings(inputs, kernels, threads, seconds)
    graph = model.tree.subgraphs[0]
    with progress.step("choosing what to time"):
        start = time.perf_counter()
        plan = plan_cuts(model, settings)
        settings = replace(settings, seconds=seconds - (time.perf_counter() - start))
    title = f"timing {len(plan.places)} parts of {len(graph.operators)} operators"
    with progress.step(title, len(plan.places)) as advance:
        times = time_cuts(model, plan, settings, advance)
    best = measure_roofline({type_name(t.type) for t in graph.tensors}, kernels, threads)
    spans = zip([-1, *times.places], times.places, times.own_ms, strict=False)
    rows = tuple(_row(model.tree, range(before + 1, last + 1), own, best) for before, last, own in spans)
    return Profile(
        name,
        f"this machine ({machine_name()})",
        kernels,
        threads,
        float(np.median(times.total_ms)),
        rows,
        best,
        len(graph.operators),
        tuple(_notes(model, times)),
    )


def _notes(model: CutModel, times: CutTimes) -> Iterator[Note]:
    """Say why operators were timed together."""
    timed = len(times.places) + len(times.refused)
    if timed < len(model.cuts):
        text = (
            f"{timed} of {len(model.cuts)} possible cuts were timed in the time given: a row "
            "stands for several operators; give more seconds for more rows"
        )
        yield Note("cuts-limited", text)
    if times.refused:
        graph = model.tree.subgraphs[0]
        shown = "; ".join(
            f"behind operator {place}, {operator_name(model.tree, graph.operators[place])}: {reason}"
            for place, reason in times.refused[:MAX_REFUSALS]
        )
        more = f"; {len(times.refused) - MAX_REFUSALS} more" if len(times.refused) > MAX_REFUSALS else ""
        text = (
            f"LiteRT refuses {len(times.refused)} of {timed} cuts, whose operators count to the "
            f"next row ({shown}{more})"
        )
        yield Note("cuts-refused", text)


def _row(tree: ModelTree, indices: range, own: np.ndarray, best: Roofline) -> OperatorTime:
    """Return the time of operators that were timed together."""
    graph = tree.subgraphs[0]
    unpacked = find_stored(tree, graph)
    every = [graph.operators[i] for i in indices]
    operators = [op for op in every if not any(int(i) in unpacked for i in op.outputs)] or every
    last, kinds = operators[-1], [operator_name(tree, op) for op in operators]
    ms, low, high = _median(own)
    counted = [count_operator(kind, op, graph) for kind, op in zip(kinds, operators, strict=True)]
    macs = None if any(n is None for n in counted) else sum(n or 0 for n in counted)
    moved = sum(_bytes(graph.tensors[i]) for op in operators for i in [*op.inputs, *op.outputs] if i >= 0)
    type_ = type_name(graph.tensors[last.inputs[0]].type) if len(last.inputs) else None
    attainable = None if type_ is None else best.attainable(type_, macs or 0, moved)
    bound: Literal["compute", "memory"] | None = None
    if type_ is not None and attainable is not None:
        bound = "compute" if attainable == best.gmacs_per_s[type_] else "memory"
    return OperatorTime(
        indices[-1],
        kinds[-1],
        NO_LAYERS.layer_of(tree, graph, last),
        tuple(kinds[:-1]),
        type_,
        ms,
        low,
        high,
        macs,
        moved,
        macs / ms / 1e6 if macs and low > 0 else None,
        attainable,
        bound,
    )


def _median(values: np.ndarray) -> tuple[float, float, float]:
    """Return the median with its bootstrapped 95 % interval."""
    drawn = np.random.default_rng(0).choice(values, (1000, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return float(np.median(values)), float(low), float(high)


def _bytes(tensor: Tensor) -> int:
    shape = [max(1, d) for d in shape_of(tensor)]
    return int(np.prod(shape, dtype=np.int64) * element_bytes(tensor.type))
