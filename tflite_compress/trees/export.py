"""Write a forest as a ``.tflite`` of builtin operators in one of two forms.

*Traversal*: all trees descend one level per step. Each step looks up feature, threshold and child of the
current node of every tree. The cost grows with the depth. *Matrix*: all splits are evaluated at once, and one
matrix maps each tree's decisions to a leaf. The cost grows with the square of the number of leaves, so this
form suits shallow trees. Both follow Nakandala et al., "A Tensor Compiler for Unified Machine Learning
Prediction Serving" (OSDI 2020), "TreeTraversal" and "GEMM". Here all trees of a depth share one matrix.

TFLite Micro looks up float32 and int8 tables only, so node numbers are float32 there (exact below 2^24).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import FOREST_DESCRIPTION
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.matrix import leaf_sums, matrix_bytes
from tflite_compress.trees.subtrees import find_subtrees
from tflite_compress.trees.tables import Widths
from tflite_compress.trees.traversal import traversal_bytes, tree_sums

Form = Literal["traversal", "matrix"]
# In microseconds, fitted by benchmarks/forest_forms.py to timings of LiteRT on one x86-64 machine (20 to 100
# trees, depth 3 to 16): the fixed cost of each form; then per step of traversal and per tree and step; or per
# leaf of the matrix form and per multiply-accumulate.
COSTS_US: dict[Form, tuple[float, ...]] = {"traversal": (0.96, 0.46, 0.013), "matrix": (1.3, 2.8e-3, 1.9e-5)}
MICRO_STEPS = 8  # elements written per step and tree in traversal; they dominate on a microcontroller
MAX_MATRIX_DEPTH = 10
MAX_TIMES_LARGER = 1.5


@dataclass(frozen=True)
class TensorNames:
    """Names of the file's input and output."""

    input: str
    output: str


def export_forest(
    forest: Forest, name: str, tensors: TensorNames, micro: bool, form: Form, missing: bool, batch: int
) -> bytes:
    """Write a forest as ``.tflite``.

    Args:
        forest: The forest.
        name: Name of the model, stored in the file's description.
        tensors: Names of input and output.
        micro: Use only tables that TFLite Micro can look up.
        form: How trees are evaluated.
        missing: Handle NaN as the forest does. Otherwise the prediction for NaN is undefined.
        batch: Samples per run.

    Returns:
        The file's content: input float32 (batch, features), output float32 (batch, outputs).
    """
    graph = Assembly(f"{name}: {FOREST_DESCRIPTION}")
    parts = find_subtrees(forest)
    widths = Widths(micro, batch, missing and not forest.refuses_nan)
    x = graph.tensor(tensors.input, (batch, forest.features), "float32")
    seen = _scaled_samples(graph, x, forest, widths)
    if form == "matrix":
        total = leaf_sums(graph, seen, forest, parts, widths)
    else:
        total = tree_sums(graph, seen, forest, parts, widths)
    raw = _scaled(graph, total, forest, batch)
    out = _linked(graph, raw, forest, tensors.output, batch)
    return graph.finished({tensors.input: x}, {tensors.output: out})


def cheaper_form(forest: Forest, micro: bool, batch: int) -> tuple[Form, dict[str, float]]:
    """Return the form with the lower estimated latency, unless its file is over 1.5 times larger.

    Args:
        forest: The forest.
        micro: Estimate for TFLite Micro: operations without the overhead of calls.
        batch: Samples per run.

    Returns:
        The form, and the estimate per form: microseconds, or operations for TFLite Micro.
    """
    counts = count_operations(forest, batch)
    if micro:
        times = {"traversal": counts["traversal"][-1] * MICRO_STEPS, "matrix": counts["matrix"][-1]}
    else:
        times = {form: float(np.dot(COSTS_US[form], counts[form])) for form in counts}
    if not 0 < forest.depth <= MAX_MATRIX_DEPTH:
        return "traversal", times
    parts = find_subtrees(forest)
    small = matrix_bytes(forest) <= MAX_TIMES_LARGER * traversal_bytes(
        forest, parts, Widths(micro, batch, False)
    )
    return ("matrix" if small and times["matrix"] < times["traversal"] else "traversal"), times


def count_operations(forest: Forest, batch: int) -> dict[Form, tuple[float, float, float]]:
    """Count the operations of each form, in the order of ``COSTS_US``.

    Args:
        forest: The forest.
        batch: Samples per run.
    """
    depth, trees = forest.depth, len(forest.trees)
    leaves = float(trees * 2**depth * batch)
    return {
        "traversal": (1.0, float(depth), float(depth * trees * batch)),
        "matrix": (1.0, leaves, leaves * (2**depth + forest.columns)),
    }


def _scaled_samples(graph: Assembly, x: int, forest: Forest, widths: Widths) -> int:
    """Add the operators that scale samples to the grid and replace NaN by a very small or large number.

    If some splits send NaN right, a second copy of all features follows the first. NaN is large in it, and
    these splits read it.
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
    """Add the operators that multiply the sums of leaves by their scale and add the base."""
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
