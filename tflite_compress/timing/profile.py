"""Profile a model: the time of each operator.

LiteRT's Python interpreter has no timer for single operators. The model is therefore cut behind each
operator, all cuts are timed interleaved in one process, and an operator's time is the difference between two
neighbouring cuts in the same round.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

import numpy as np

from tflite_compress.data.raw import samples_for
from tflite_compress.data.sources import DataSource, Preprocess
from tflite_compress.support.errors import ModelError
from tflite_compress.support.progress import Progress, Silent
from tflite_compress.tflite.flatbuffer import element_bytes, operator_name, tensor_name, type_name, unpack
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.tflite.macs import operator_macs
from tflite_compress.tflite.slim_file import own_name
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.tflite.tree import ModelTree, Tensor, shape_of
from tflite_compress.timing.interleaved import BLOCK_MS, Contender, Kernels, load_into
from tflite_compress.timing.machine import machine_name
from tflite_compress.timing.prefixes import cut_model, find_cuts
from tflite_compress.timing.roofline import Roofline, measure_roofline
from tflite_compress.timing.timed_process import Child

METHOD = "growing prefixes: the model cut behind each operator, neighbouring cuts timed interleaved"
MAX_OPERATORS = 400
MAX_IN_REPR = 5
MIN_ROUNDS, MAX_ROUNDS = 15, 400


@dataclass(frozen=True)
class OperatorTime:
    """The time of one operator.

    Attributes:
        index: Index in the order of execution.
        operator: Its name in ``schema.fbs``.
        layer: The Keras layer it came from, if the tensor names tell; else an empty string.
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


@dataclass(frozen=True, repr=False)
class Profile:
    """A model's operators with their times.

    Attributes:
        name: The file.
        where: The machine.
        kernels: The kernels used.
        threads: CPU threads.
        total_ms: Median time of the whole model in ms, in the same rounds.
        rows: One per operator of the main graph; their times add up to the total, up to noise.
        roofline: The machine's measured peak rates.
        method: How the times were measured.
    """

    name: str
    where: str
    kernels: str
    threads: int
    total_ms: float
    rows: tuple[OperatorTime, ...]
    roofline: Roofline
    method: str = METHOD

    def __repr__(self) -> str:
        slowest = sorted(self.rows, key=lambda row: -row.ms)[:MAX_IN_REPR]
        rows = "; ".join(f"{r.operator} {r.layer[-40:]} {r.ms:.4g} ms" for r in slowest)
        text = f"<Profile of {self.name[-100:]}: {self.total_ms:.4g} ms, {len(self.rows)} operators"
        return f"{text}; slowest: {rows}>"

    def _repr_html_(self) -> str:
        """Return the operators' times as an HTML table for notebooks."""
        rows = "".join(
            f"<tr><td>{r.index}</td><td>{escape(r.operator)}</td><td>{escape(r.layer)}</td>"
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
) -> Profile:
    """Time a ``.tflite`` operator by operator on this machine.

    Args:
        model: The file.
        threads: CPU threads.
        kernels: ``xnnpack``, ``no-delegate`` or ``reference``.
        data: Samples, of which the first is used; random inputs by default.
        preprocess: ``none``, ``unit``, ``symmetric``, or ``module:function``.
        seconds: Approximate time to measure.
        progress: Where to report progress.

    Returns:
        The time of each operator of the main graph.

    Raises:
        ModelError: The file is missing, damaged, refused by the runtime, or has too many operators.
    """
    content = read_validated(Path(model))
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
    max_operators: int = MAX_OPERATORS,
) -> Profile:
    """Profile a valid ``.tflite`` in memory; see :func:`profile`.

    Args:
        content: The file's bytes.
        name: Name of the file in the result.
        threads: CPU threads.
        kernels: ``xnnpack``, ``no-delegate`` or ``reference``.
        data: Samples, of which the first is used; random inputs by default.
        preprocess: ``none``, ``unit``, ``symmetric``, or ``module:function``.
        seconds: Approximate time to measure.
        progress: Where to report progress.
        max_operators: Maximum number of operators.

    Raises:
        ModelError: The runtime refuses it, or it has too many operators.
    """
    progress = progress or Silent()
    inputs = samples_for(read_signature(content), data, preprocess, 1)[0].first(1).raw
    tree = unpack(content)
    places = find_cuts(tree)
    if not places or len(places) > max_operators:
        raise ModelError(
            f"{name or 'the file'} has {len(places)} operators; 1 to {max_operators} can be profiled",
            "Use benchmark, which times the whole model.",
        )
    with progress.step(f"timing {len(places)} operators"):
        cuts = (Contender(name, c.content, inputs, kernels, threads) for c in cut_model(content))
        rounds = _rounds(cuts, seconds)
    types = {type_name(t.type) for t in tree.subgraphs[0].tensors}
    best = measure_roofline(types, kernels, threads)
    own = np.diff(rounds, axis=1, prepend=0)
    rows = tuple(_row(tree, place, own[:, i], best) for i, place in enumerate(places))
    total = float(np.median(rounds[:, -1]))
    return Profile(name, f"this machine ({machine_name()})", kernels, threads, total, rows, best)


def _rounds(cuts: Iterable[Contender], seconds: float) -> np.ndarray:
    """Time the cuts interleaved; return ms of shape (rounds, cuts)."""
    with contextlib.ExitStack() as stack:
        child = stack.enter_context(Child("LiteRT"))
        for cut in cuts:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tflite-compress-"))
            load_into(child, cut, Path(folder))
        warm = np.asarray(child.run_interleaved(3, 3))
        longest = float(warm[-1, -1])
        runs = max(1, min(50, round(BLOCK_MS / max(longest, 1e-3) / 4)))
        round_ms = float(warm[-1].sum()) * runs
        count = int(np.clip(seconds * 1e3 / max(round_ms, 1e-3), MIN_ROUNDS, MAX_ROUNDS))
        return np.asarray(child.run_interleaved(runs, count))


def _row(tree: ModelTree, index: int, own: np.ndarray, best: Roofline) -> OperatorTime:
    graph = tree.subgraphs[0]
    op = graph.operators[index]
    kind = operator_name(tree, op)
    ms, low, high = _median(own)
    macs = operator_macs(kind, op, graph)
    moved = sum(_bytes(graph.tensors[i]) for i in [*op.inputs, *op.outputs] if i >= 0)
    type_ = type_name(graph.tensors[op.inputs[0]].type) if len(op.inputs) else None
    attainable = None if type_ is None else best.attainable(type_, macs or 0, moved)
    bound: Literal["compute", "memory"] | None = None
    if type_ is not None and attainable is not None:
        bound = "compute" if attainable == best.gmacs_per_s[type_] else "memory"
    return OperatorTime(
        index,
        kind,
        own_name(tensor_name(graph.tensors[op.outputs[0]]), kind) if len(op.outputs) else "",
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
