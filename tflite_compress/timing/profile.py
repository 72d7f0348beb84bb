"""Where a model's time goes, operator by operator.

LiteRT's Python interpreter has no timer for single operators. So the model is cut behind each operator, all
cuts take turns in one process, and an operator's time is the difference between two neighbouring cuts in the
same round.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite_compress.data.raw import samples_for
from tflite_compress.support.errors import ModelError
from tflite_compress.support.progress import Progress, Silent
from tflite_compress.tflite.flatbuffer import element_bytes, operator_name, tensor_name, type_name, unpack
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.tflite.macs import operator_macs
from tflite_compress.tflite.slim_file import own_name
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.timing.interleaved import BLOCK_MS, Contender, Kernels, load_into
from tflite_compress.timing.machine import machine_name
from tflite_compress.timing.prefixes import cut_model, find_cuts
from tflite_compress.timing.roofline import Roofline, measure_roofline
from tflite_compress.timing.timed_process import Child

METHOD = "growing prefixes: the model cut behind each operator, neighbouring cuts timed in turns"
MAX_OPERATORS = 400
MIN_ROUNDS, MAX_ROUNDS = 15, 400


@dataclass(frozen=True)
class OperatorTime:
    """One operator.

    Attributes:
        index: Place in the order of execution.
        operator: As in ``schema.fbs``.
        layer: The Keras layer it came from, as far as names tell.
        type: Type of its first input.
        ms: Median time; what lies below the noise may come out slightly negative.
        low_ms: Lower end of its 95 % interval.
        high_ms: Upper end.
        macs: Multiply-accumulates; None where the file does not tell.
        moved_bytes: Bytes of its inputs, weights and outputs.
        gmacs_per_s: What it achieves; None where it multiplies nothing or lies below the noise.
        attainable: What the machine could do at best on it, GMAC/s.
        bound: ``compute``, ``memory`` or empty: what that best is limited by.
    """

    index: int
    operator: str
    layer: str
    type: str
    ms: float
    low_ms: float
    high_ms: float
    macs: int | None
    moved_bytes: int
    gmacs_per_s: float | None
    attainable: float | None
    bound: str

    @property
    def is_above_noise(self) -> bool:
        """True where the time is told apart from none."""
        return self.low_ms > 0


@dataclass(frozen=True)
class Profile:
    """A model's operators with their times.

    Attributes:
        name: The file.
        where: The machine.
        kernels: Which kernels.
        threads: How many threads.
        total_ms: Median time of the whole model, in the same rounds.
        rows: One for each operator of the main graph; their times add up to the total, up to noise.
        roofline: The machine's best.
        method: How it was measured.
    """

    name: str
    where: str
    kernels: str
    threads: int
    total_ms: float
    rows: tuple[OperatorTime, ...]
    roofline: Roofline
    method: str = METHOD


def profile(
    model: str | os.PathLike[str],
    threads: int = 1,
    kernels: Kernels = "xnnpack",
    data: str | None = None,
    preprocess: str = "none",
    seconds: float = 5.0,
    progress: Progress | None = None,
) -> Profile:
    """Time a ``.tflite`` operator by operator on this machine.

    Args:
        model: The file.
        threads: CPU threads.
        kernels: ``xnnpack``, ``no-delegate`` or ``reference``.
        data: A sample of the user's; random inputs by default.
        preprocess: See ``compress``.
        seconds: About how long to measure.
        progress: Where to report.

    Raises:
        ModelError: The file is none, damaged, refused by the runtime, or has too many operators.
    """
    content = read_validated(Path(model))
    return profile_content(content, str(model), threads, kernels, data, preprocess, seconds, progress)


def profile_content(
    content: bytes,
    name: str,
    threads: int = 1,
    kernels: Kernels = "xnnpack",
    data: str | None = None,
    preprocess: str = "none",
    seconds: float = 5.0,
    progress: Progress | None = None,
    most: int = MAX_OPERATORS,
) -> Profile:
    """Like :func:`profile`, for a ``.tflite`` in memory that is known to be intact.

    Args:
        content: The file's bytes.
        name: What to call it.
        threads: CPU threads.
        kernels: Kernels to run it with.
        data: A data source whose first sample is run; None for random inputs.
        preprocess: Preprocessing of the data.
        seconds: About how long to measure, in seconds.
        progress: Where to report.
        most: Refuse files with more operators.

    Raises:
        ModelError: The runtime refuses it, or it has too many operators.
    """
    progress = progress or Silent()
    inputs = samples_for(read_signature(content), data, preprocess, 1)[0].first(1).raw
    tree = unpack(content)
    places = find_cuts(tree)
    if not places or len(places) > most:
        raise ModelError(
            f"{name or 'the file'} has {len(places)} operators; 1 to {most} can be profiled",
            "'tflite-compress benchmark' times it as a whole.",
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
    """Milliseconds of each cut in each round, shape (rounds, cuts)."""
    with contextlib.ExitStack() as stack:
        child = stack.enter_context(Child("LiteRT"))
        for cut in cuts:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tflite-compress-"))
            load_into(child, cut, Path(folder))
        warm = np.asarray(child.turns(3, 3))
        longest = float(warm[-1, -1])
        runs = max(1, min(50, round(BLOCK_MS / max(longest, 1e-3) / 4)))
        round_ms = float(warm[-1].sum()) * runs
        count = int(np.clip(seconds * 1e3 / max(round_ms, 1e-3), MIN_ROUNDS, MAX_ROUNDS))
        return np.asarray(child.turns(runs, count))


def _row(tree: Any, index: int, own: np.ndarray, best: Roofline) -> OperatorTime:
    graph = tree.subgraphs[0]
    op = graph.operators[index]
    kind = operator_name(tree, op)
    ms, low, high = _median(own)
    macs = operator_macs(kind, op, graph)
    moved = sum(_bytes(graph.tensors[i]) for i in [*op.inputs, *op.outputs] if i >= 0)
    type_ = type_name(graph.tensors[op.inputs[0]].type) if len(op.inputs) else ""
    attainable = best.attainable(type_, macs or 0, moved)
    bound = ""
    if attainable is not None:
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
    """Median with its 95 % interval, by the bootstrap."""
    drawn = np.random.default_rng(0).choice(values, (1000, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return float(np.median(values)), float(low), float(high)


def _bytes(tensor: Any) -> int:
    shape = [] if tensor.shape is None else [max(1, int(d)) for d in tensor.shape]
    return int(np.prod(shape, dtype=np.int64) * element_bytes(tensor.type))
