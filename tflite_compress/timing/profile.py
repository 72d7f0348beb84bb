"""Profile a model: the time of each operator.

LiteRT's Python interpreter has no timer for single operators. The model is therefore cut behind each
operator, neighbouring cuts are timed interleaved in one process, and an operator's time is the difference
between two neighbouring cuts in the same round. Where the time is too short for all cuts, or LiteRT refuses
one, several operators are timed together.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import numpy as np

from tflite_compress.data.opened_file import open_content, with_input_shape
from tflite_compress.data.sources import DataSource, Preprocess
from tflite_compress.runtimes.isolated import children_within
from tflite_compress.support.errors import ModelError, TimeUsedError
from tflite_compress.support.input_shape import InputShape
from tflite_compress.support.notes import Note
from tflite_compress.support.progress import Progress, Silent
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget
from tflite_compress.tflite.flatbuffer import operator_name, type_name
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.timing.cut_timing import CutSettings, CutTimes, plan_cuts, time_cuts
from tflite_compress.timing.interleaved import Kernels
from tflite_compress.timing.machine import machine_name
from tflite_compress.timing.operator_time import OperatorTime, time_operators
from tflite_compress.timing.prefixes import CutModel
from tflite_compress.timing.roofline import Roofline, measure_roofline

METHOD = "growing prefixes: the model cut behind each operator, neighbouring cuts timed interleaved"
MAX_IN_REPR = 5
MAX_REFUSALS = 3


@dataclass(frozen=True, repr=False)
class Profile:
    """A model's operators with their times.

    Attributes:
        name: The file.
        where: The machine.
        kernels: The kernels used.
        threads: CPU threads.
        total_ms: Median time of the whole model in ms, in the same rounds.
        rows: One per operator of the main graph, or per group that was timed together. Their times add up to
            the total, up to noise, unless a note says that the time budget left operators out.
        roofline: The machine's measured peak rates; None if they were not measured, as when the time budget
            left no time.
        operators: Number of operators of the main graph.
        notes: Why operators were timed together, and which were not timed.
        method: How the times were measured.
    """

    name: str
    where: str
    kernels: str
    threads: int
    total_ms: float
    rows: tuple[OperatorTime, ...]
    roofline: Roofline | None
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
    time_budget_seconds: float | None = None,
    resize: bool = False,
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
        time_budget_seconds: Time for everything, which is kept to even where the model is slow. When it is
            used, what was timed is kept, and a note says what is missing.
        resize: Resize images to the input.

    Returns:
        The time of each operator of the main graph, or of groups of them.

    Raises:
        ModelError: The file is missing, damaged, or refused by the runtime.
        TimeUsedError: The time budget was used before the model was loaded and run.
    """
    budget = TimeBudget(time_budget_seconds)
    content = read_validated(Path(model))
    if input_shape is not None:
        content, _ = with_input_shape(content, input_shape)
    settings = (threads, kernels, data, preprocess, seconds, progress, budget, resize)
    return profile_content(content, str(model), *settings)


def profile_content(
    content: bytes,
    name: str,
    threads: int = 1,
    kernels: Kernels = "xnnpack",
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    seconds: float = 5.0,
    progress: Progress | None = None,
    budget: TimeBudget = NO_BUDGET,
    resize: bool = False,
    needs_roofline: bool = True,
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
        budget: When it is used, what was timed is kept.
        resize: Resize images to the input.
        needs_roofline: Measure the machine's peak rates too, which takes about a second.

    Raises:
        ModelError: The runtime refuses it, or it has no operators.
        TimeUsedError: The time budget was used before the model was loaded and run.
    """
    progress = progress or Silent()
    opened = open_content(content, data, preprocess, None, 1, resize)
    if opened.sizes is not None:
        progress.say(opened.sizes)
    content, inputs = opened.content, opened.samples.first(1).raw
    model = CutModel(content)
    if not model.cuts:
        raise ModelError(f"{name or 'the file'} has no operators to time", None)
    settings = CutSettings(inputs, kernels, threads, min(seconds, budget.left), budget)
    graph = model.tree.subgraphs[0]
    with children_within(budget):
        times = _times(model, settings, len(graph.operators), progress)
        best = _roofline({type_name(t.type) for t in graph.tensors}, settings) if needs_roofline else None
    spans = zip([-1, *times.places], times.places, times.own_ms, strict=False)
    rows = tuple(
        time_operators(model.tree, range(before + 1, last + 1), own, best) for before, last, own in spans
    )
    return Profile(
        name,
        f"this machine ({machine_name()})",
        kernels,
        threads,
        float(np.median(times.total_ms)),
        rows,
        best,
        len(graph.operators),
        (*_notes(model, times), *budget.notes),
    )


def _times(model: CutModel, settings: CutSettings, operators: int, progress: Progress) -> CutTimes:
    """Choose cuts and time them, as many as the time allows."""
    with progress.step("choosing what to time"):
        start = time.perf_counter()
        plan = plan_cuts(model, settings)
        settings = replace(settings, seconds=settings.seconds - (time.perf_counter() - start))
    title = f"timing {len(plan.places)} parts of {operators} operators"
    with progress.step(title, len(plan.places)) as advance:
        times = time_cuts(model, plan, settings, advance)
    timed = times.places[-1] + 1 if times.places else 0
    if timed <= model.cuts[-1]:
        settings.budget.cut(f"{timed} of {operators} operators timed")
    return times


def _roofline(types: set[str], settings: CutSettings) -> Roofline | None:
    """Return the machine's peak rates; None if the time budget is used."""
    with contextlib.suppress(TimeUsedError):
        if not settings.budget.is_used:
            return measure_roofline(types, settings.kernels, settings.threads)
    settings.budget.cut("peak rates of this machine not measured")
    return None


def _notes(model: CutModel, times: CutTimes) -> Iterator[Note]:
    """Say why operators were timed together."""
    timed = len(times.places) + len(times.refused)
    is_whole = times.places[-1:] == [model.cuts[-1]]
    if timed < len(model.cuts) and is_whole:
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
