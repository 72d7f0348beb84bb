"""Write a forest as C99: constants and a loop, without a library or a heap.

For quantized thresholds, each feature is scaled to the grid once and rounded up: ``z > q`` for an integer
``q`` equals ``ceil(z) > q``. Firmware with integer features can do this ahead of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.support.source_text import identifier
from tflite_compress.trees.c_text import C_TYPES, c_array, c_type, fill_forest_template, float_literal
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.packed import LENGTH_BITS, MISSING_RIGHT, Packed, pack_forest
from tflite_compress.trees.subtrees import Subtrees, find_subtrees

STREAM_CODE_BYTES = 128  # flash on a Cortex-M4 that reading a stream needs in addition to tables


@dataclass(frozen=True, eq=False)
class CForest:
    """C code of a forest.

    Attributes:
        files: Contents by name: ``NAME.h`` and ``NAME.c``.
        table_bytes: Bytes of all constant tables.
    """

    files: dict[str, bytes]
    table_bytes: int


def write_c_forest(forest: Forest, name: str, missing: bool) -> CForest:
    """Write a forest as C: as a bit stream if it is quantized and that is smaller, else as tables.

    Args:
        forest: The forest.
        name: Prefix of its functions and files.
        missing: Handle NaN as the forest does. Otherwise NaN goes left.
    """
    name = identifier(name)
    parts = find_subtrees(forest)
    flagged = missing and forest.sends_missing_right
    common = {
        "name": name,
        "guard": name.upper(),
        "features": forest.features,
        "outputs": forest.outputs,
        "columns": forest.columns,
        "trees": len(forest.trees),
        "cell": _cell(forest),
        "to_grid": _to_grid(forest),
        "scale": float_literal(forest.scale * (forest.leaf_step or 1.0)),
        "base": ", ".join(float_literal(b) for b in forest.base),
        "link": _link(forest),
        "math": "#include <math.h>\n" if forest.link != "identity" else "",
        "best": _best(forest),
    }
    written = _as_tables(forest, parts, flagged, common)
    if forest.grid is None or forest.leaf_step is None:
        return written
    bits = pack_forest(forest, parts, flagged)
    stream = written if bits is None else _as_stream(forest, bits, parts.column, common)
    return stream if stream.table_bytes + STREAM_CODE_BYTES < written.table_bytes else written


def _files(template: str, tables: dict[str, np.ndarray], values: dict[str, object]) -> CForest:
    name = values["name"]
    tail = fill_forest_template("forest_tail.c", **values).decode()
    whole = {
        **values,
        "tail": tail,
        "tables": "\n".join(c_array(key, array) for key, array in tables.items()),
    }
    files = {
        f"{name}.h": fill_forest_template("forest.h", **values),
        f"{name}.c": fill_forest_template(template, **whole),
    }
    return CForest(files, sum(array.nbytes for array in tables.values()))


def _as_tables(forest: Forest, parts: Subtrees, flagged: bool, common: dict[str, object]) -> CForest:
    tables = _tables(forest, parts, flagged)
    values = {
        **common,
        "condition": _condition(forest, flagged),
        "column": "feature[node] >> 1" if flagged else "feature[node]",
        "leaf": _leaf(parts.column, "-1 - node"),
        "sum": "float" if forest.leaf_step is None else "int32_t",
        "reference": c_type(tables["root"]),
    }
    return _files("forest.c", tables, values)


def _as_stream(
    forest: Forest, stream: Packed, column: np.ndarray | None, common: dict[str, object]
) -> CForest:
    assert forest.grid is not None
    leaves = stream.leaves
    tables = {
        "nodes": stream.nodes,
        "root": _positions(stream.roots),
        "leaf": leaves.values if column is None else leaves.values[:, 0],
        **_extras(forest, column),
    }
    if leaves.columns is not None:
        tables["leaf_column"] = leaves.columns
    if stream.bases is not None:
        tables["first_leaf"] = _positions(stream.bases)
    if stream.compared.pairs is not None:
        feature, threshold = stream.compared.pairs.T
        tables["feature"] = feature.astype(np.min_scalar_type(forest.features - 1))
        tables["threshold_of"] = threshold.astype(forest.grid.precision)
    condition = "grid[column] > threshold"
    if stream.flags == 3:
        least = np.iinfo(forest.grid.precision).min
        condition = f"{condition} || ((flags & {MISSING_RIGHT}) && grid[column] == {least})"
    values = {
        **common,
        "leaf_bits": stream.leaf_bits,
        "flags": stream.flags,
        "length": LENGTH_BITS,
        "compared": _comparison(stream, str(common["cell"])),
        "condition": condition,
        "first": "" if stream.bases is None else "first_leaf[tree] + ",
        "leaf": _leaf(column, "entry") if leaves.columns is None else _sparse_leaf(leaves.more),
    }
    return _files("forest_packed.c", tables, values)


def _positions(starts: np.ndarray) -> np.ndarray:
    """Return the starts of trees or their leaves as uint16 if they fit, else uint32."""
    return starts.astype(np.uint16 if starts.max(initial=0) < 1 << 16 else np.uint32)


def _comparison(stream: Packed, cell: str) -> str:
    how = stream.compared
    if how.pairs is not None:
        lines = [
            f"uint32_t pair = bits(&at, {how.pair_bits});",
            "uint32_t column = feature[pair];",
            f"{cell} threshold = threshold_of[pair];",
        ]
    else:
        lines = [
            f"uint32_t column = bits(&at, {how.feature_bits});",
            f"{cell} threshold = ({cell})((int32_t)bits(&at, {how.threshold_bits}) + {how.lowest});",
        ]
    return "\n".join(" " * 12 + line for line in lines)


def _sparse_leaf(more: int) -> str:
    return (
        "        uint32_t cell;\n"
        "        do {\n"
        "            cell = leaf_column[entry];\n"
        f"            sums[cell & {more - 1}] += leaf[entry++];\n"
        f"        }} while (cell & {more});"
    )


def _extras(forest: Forest, column: np.ndarray | None) -> dict[str, np.ndarray]:
    """Return the column that each tree adds to, and the grid."""
    found = {}
    if column is not None:
        found["column_of"] = column.astype(np.min_scalar_type(forest.columns))
    if forest.grid is not None:
        found["low"], found["per_step"] = forest.grid.low, forest.grid.per_step
    return found


def _tables(forest: Forest, parts: Subtrees, flagged: bool) -> dict[str, np.ndarray]:
    feature = parts.feature * 2 + parts.missing_right if flagged else parts.feature
    threshold = parts.threshold if forest.grid is None else parts.threshold.astype(forest.grid.precision)
    rows = parts.rows.astype(np.float32 if forest.leaf_step is None else forest.leaf_precision)
    references = np.concatenate([parts.left, parts.right, parts.roots, [-len(parts.rows)]])
    wide = np.int16 if references.min() >= -32768 and references.max() <= 32767 else np.int32
    tables = {
        "feature": feature.astype(np.min_scalar_type(feature.max(initial=0))),
        "threshold": threshold,
        "left": parts.left.astype(wide),
        "right": parts.right.astype(wide),
        "root": parts.roots.astype(wide),
        "leaf": rows if parts.column is None else rows[:, 0],
    }
    tables |= _extras(forest, parts.column)
    return {key: values if len(values) else np.zeros(1, values.dtype) for key, values in tables.items()}


def _cell(forest: Forest) -> str:
    return "float" if forest.grid is None else C_TYPES[forest.grid.precision]


def _to_grid(forest: Forest) -> str:
    if forest.grid is None:
        return "    for (int i = 0; i < FEATURES; i++) grid[i] = x[i];"
    info = np.iinfo(forest.grid.precision)
    return (
        "    for (int i = 0; i < FEATURES; i++) {\n"
        "        float above = x[i] - low[i];\n"
        "        float z = above * per_step[i];\n"
        f"        if (z != z) grid[i] = {info.min};\n"
        f"        else if (!(z > {info.min + 1}.0f)) grid[i] = {info.min + 1};\n"
        f"        else if (z > {info.max - 1}.0f) grid[i] = {info.max};\n"
        "        else {\n"
        "            int32_t whole = (int32_t)z;\n"
        f"            grid[i] = ({_cell(forest)})(whole + (z > (float)whole));\n"
        "        }\n"
        "    }"
    )


def _condition(forest: Forest, flagged: bool) -> str:
    if not flagged:
        return "grid[column] > threshold[node]"
    if forest.grid is None:
        return "grid[column] > threshold[node] || ((feature[node] & 1) && grid[column] != grid[column])"
    least = np.iinfo(forest.grid.precision).min
    return f"grid[column] > threshold[node] || ((feature[node] & 1) && grid[column] == {least})"


def _leaf(column: np.ndarray | None, row: str) -> str:
    if column is not None:
        return f"        sums[column_of[tree]] += leaf[{row}];"
    return f"        for (int i = 0; i < COLUMNS; i++) sums[i] += leaf[{row}][i];"


def _link(forest: Forest) -> str:
    if forest.link == "exp":
        return "    for (int i = 0; i < COLUMNS; i++) out[i] = expf(raw[i]);"
    if forest.link == "sigmoid":
        return "    out[1] = 1.0f / (1.0f + expf(-raw[0]));\n    out[0] = 1.0f - out[1];"
    if forest.link == "softmax":
        return (
            "    float most = raw[0], total = 0.0f;\n"
            "    for (int i = 1; i < COLUMNS; i++) if (raw[i] > most) most = raw[i];\n"
            "    for (int i = 0; i < COLUMNS; i++) total += out[i] = expf(raw[i] - most);\n"
            "    for (int i = 0; i < COLUMNS; i++) out[i] /= total;"
        )
    return "    for (int i = 0; i < COLUMNS; i++) out[i] = raw[i];"


def _best(forest: Forest) -> str:
    if forest.link == "sigmoid":
        return "    return raw[0] > 0.0f;"
    return (
        "    int best = 0;\n"
        "    for (int i = 1; i < COLUMNS; i++) if (raw[i] > raw[best]) best = i;\n"
        "    return best;"
    )
