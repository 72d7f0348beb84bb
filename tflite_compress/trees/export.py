"""A forest as a ``.tflite`` of builtin operators, in the cheaper of two forms.

*Traversal*: all trees step down one level at a time; each step looks up feature, threshold and child of the
node every tree stands at. Cost grows with depth. *Matrix*: all splits are decided at once, and one matrix
tells which leaf each tree's decisions lead to. Cost grows with the square of the number of leaves, so it is
for shallow trees. Both follow Nakandala et al., "A Tensor Compiler for Unified Machine Learning Prediction
Serving" (OSDI 2020), "TreeTraversal" and "GEMM"; here the matrix is the same for all trees of a depth.

TFLite Micro looks up float32 and int8 tables only, so child numbers are float32 there (exact below 2^24).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import FOREST_DESCRIPTION
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.matrix import leaf_sums, matrix_bytes
from tflite_compress.trees.subtrees import subtrees
from tflite_compress.trees.tables import Widths
from tflite_compress.trees.traversal import traversal_bytes, tree_sums

Form = Literal["traversal", "matrix"]
# In microseconds, as benchmarks/forest_forms.py fits them to timings of LiteRT on one x86-64 machine (20 to
# 100 trees, depth 3 to 16): what each form takes at least; a step of traversal, and what more for each tree;
# a leaf of the matrix form, and a multiply-accumulate.
COSTS_US: dict[Form, tuple[float, ...]] = {"traversal": (0.96, 0.46, 0.013), "matrix": (1.3, 2.8e-3, 1.9e-5)}
MICRO_STEPS = 8  # elements written in a step of traversal for each tree: what counts on a microcontroller
DEEPEST_MATRIX = 10
MAX_TIMES_LARGER = 1.5


@dataclass(frozen=True)
class Ports:
    """Names of the file's input and output."""

    input: str
    output: str


def export(
    forest: Forest, name: str, ports: Ports, micro: bool, form: Form, missing: bool, batch: int
) -> bytes:
    """Write a forest as ``.tflite``.

    Args:
        forest: The forest.
        name: What the file says it is.
        ports: Names of input and output.
        micro: For TFLite Micro.
        form: How trees are evaluated.
        missing: Send samples with NaN where the forest sends them; otherwise such samples go anywhere.
        batch: Samples at a time.

    Returns:
        The file; input float32 (batch, features), output float32 (batch, outputs).
    """
    graph = Assembly(f"{name}: {FOREST_DESCRIPTION}")
    parts = subtrees(forest)
    widths = Widths(micro, batch, missing and not forest.refuses_nan)
    x = graph.tensor(ports.input, (batch, forest.features), "float32")
    seen = _as_seen(graph, x, forest, widths)
    if form == "matrix":
        total = leaf_sums(graph, seen, forest, parts, widths)
    else:
        total = tree_sums(graph, seen, forest, parts, widths)
    raw = _scaled(graph, total, forest, batch)
    out = _linked(graph, raw, forest, ports.output, batch)
    return graph.finished({ports.input: x}, {ports.output: out})


def cheaper_form(forest: Forest, micro: bool, batch: int) -> tuple[Form, dict[str, float]]:
    """The form with the lower estimated time, as long as its file is not much larger.

    Args:
        forest: The forest.
        micro: For TFLite Micro, where only multiply-accumulates and look-ups count, not calls.
        batch: Samples at a time.

    Returns:
        The form, and the estimate for each: microseconds, or operations on a microcontroller.
    """
    counts = counted(forest, batch)
    if micro:
        times = {"traversal": counts["traversal"][-1] * MICRO_STEPS, "matrix": counts["matrix"][-1]}
    else:
        times = {form: float(np.dot(COSTS_US[form], counts[form])) for form in counts}
    if not 0 < forest.depth <= DEEPEST_MATRIX:
        return "traversal", times
    parts = subtrees(forest)
    small = matrix_bytes(forest) <= MAX_TIMES_LARGER * traversal_bytes(
        forest, parts, Widths(micro, batch, False)
    )
    return ("matrix" if small and times["matrix"] < times["traversal"] else "traversal"), times


def counted(forest: Forest, batch: int) -> dict[Form, tuple[float, float, float]]:
    """What costs time in each form, in the order of ``COSTS_US``.

    Args:
        forest: The forest.
        batch: Samples at a time.
    """
    depth, trees = forest.depth, len(forest.trees)
    leaves = float(trees * 2**depth * batch)
    return {
        "traversal": (1.0, float(depth), float(depth * trees * batch)),
        "matrix": (1.0, leaves, leaves * (2**depth + forest.columns)),
    }


def _as_seen(graph: Assembly, x: int, forest: Forest, widths: Widths) -> int:
    """The samples as thresholds see them: on the grid, and NaN as a very small or very large number.

    With missing values that go right somewhere, a second copy of all features follows the first, in which NaN
    is large; splits that send NaN right look there.
    """
    shape = (widths.batch, forest.features)
    seen = x
    if forest.grid is not None:
        low = graph.constant("low", forest.grid.low[np.newaxis])
        per_step = graph.constant("per_step", forest.grid.per_step[np.newaxis])
        seen = graph.operator("SUB", [seen, low], "above_low", shape, "float32", graph.options("SubOptions"))
        seen = graph.operator(
            "MUL", [seen, per_step], "on_grid", shape, "float32", graph.options("MulOptions")
        )
        info = np.iinfo(forest.grid.precision)
        for kind, name, limit in (("MAXIMUM", "least", info.min + 1), ("MINIMUM", "most", info.max)):
            constant = graph.constant(name, np.array([[limit]], np.float32))
            options = graph.options("MaximumMinimumOptions")
            seen = graph.operator(kind, [seen, constant], f"at_{name}", shape, "float32", options)
    if widths.missing:
        options = graph.options("NotEqualOptions")
        is_nan = graph.operator("NOT_EQUAL", [x, x], "is_nan", shape, "bool", options)
        sides = [("small", -np.inf), ("large", np.inf)][: 2 if forest.sends_missing_right else 1]
        copies = [
            graph.operator(
                "SELECT_V2",
                [is_nan, graph.constant(name, np.full(shape, value, np.float32)), seen],
                f"nan_{name}",
                shape,
                "float32",
                graph.options("SelectV2Options"),
            )
            for name, value in sides
        ]
        seen = copies[0]
        if len(copies) == 2:
            shape = (widths.batch, 2 * forest.features)
            options = graph.options("ConcatenationOptions", axis=1)
            seen = graph.operator("CONCATENATION", copies, "both", shape, "float32", options)
    return seen


def _scaled(graph: Assembly, total: int, forest: Forest, batch: int) -> int:
    """Sums of leaves times their scale, plus the base."""
    shape = (batch, forest.columns)
    factor = np.float32(forest.scale * (forest.leaf_step or 1.0))
    found = total
    if factor != 1:
        options = graph.options("MulOptions")
        constant = graph.constant("scale", np.full((1, 1), factor, np.float32))
        found = graph.operator("MUL", [found, constant], "scaled", shape, "float32", options)
    if np.any(forest.base != 0):
        options = graph.options("AddOptions")
        constant = graph.constant("base", forest.base[np.newaxis].astype(np.float32))
        found = graph.operator("ADD", [found, constant], "raw", shape, "float32", options)
    return found


def _linked(graph: Assembly, raw: int, forest: Forest, name: str, batch: int) -> int:
    shape = (batch, forest.outputs)
    if forest.link == "exp":
        return graph.operator("EXP", [raw], name, shape, "float32", graph.options("ExpOptions"))
    if forest.link == "identity":
        return graph.reshaped(raw, name, shape)
    if forest.link == "sigmoid":
        paddings = graph.constant("before", np.array([[0, 0], [1, 0]], np.int32))
        raw = graph.operator("PAD", [raw, paddings], "both", shape, "float32", graph.options("PadOptions"))
    return graph.operator("SOFTMAX", [raw], name, shape, "float32", graph.options("SoftmaxOptions", beta=1.0))
