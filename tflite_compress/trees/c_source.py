"""A forest as plain C99: constant tables and a loop, no library, no heap.

With quantized thresholds features are brought onto the grid once, rounded up: ``z > q`` for a whole ``q``
is the same as ``ceil(z) > q``. Firmware that has whole-number features already can do that ahead of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.bundle.text import filled, identifier
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.subtrees import Subtrees, subtrees

_A_LINE = 16
_C_TYPES = {
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
}


@dataclass(frozen=True, eq=False)
class CForest:
    """C code of a forest.

    Attributes:
        files: Contents by name: ``NAME.h`` and ``NAME.c``.
        table_bytes: Bytes of all constant tables.
    """

    files: dict[str, bytes]
    table_bytes: int


def c_forest(forest: Forest, name: str, missing: bool) -> CForest:
    """Write a forest as C.

    Args:
        forest: The forest.
        name: Prefix of everything in it.
        missing: Send NaN where the forest does; otherwise it goes left.
    """
    name = identifier(name)
    parts = subtrees(forest)
    flagged = missing and forest.sends_missing_right
    tables = _tables(forest, parts, flagged)
    header = {
        "name": name,
        "guard": name.upper(),
        "features": forest.features,
        "outputs": forest.outputs,
        "columns": forest.columns,
        "trees": len(forest.trees),
        "cell": _cell(forest),
    }
    code = {
        "tables": "\n".join(_written(key, values) for key, values in tables.items()),
        "to_grid": _to_grid(forest),
        "condition": _condition(forest, flagged),
        "column": "feature[node] >> 1" if flagged else "feature[node]",
        "leaf": _leaf(forest, parts),
        "sum": "float" if forest.leaf_step is None else "int32_t",
        "scale": _number(forest.scale * (forest.leaf_step or 1.0)),
        "base": ", ".join(_number(b) for b in forest.base),
        "reference": _c_type(tables["root"]),
        "link": _link(forest),
        "math": "#include <math.h>\n" if forest.link != "identity" else "",
        "best": _best(forest),
    }
    files = {
        f"{name}.h": filled("forest.h", **header),
        f"{name}.c": filled("forest.c", **header, **code),
    }
    return CForest(files, sum(values.nbytes for values in tables.values()))


def _tables(forest: Forest, parts: Subtrees, flagged: bool) -> dict[str, np.ndarray]:
    feature = parts.feature * 2 + parts.missing_right if flagged else parts.feature
    threshold = parts.threshold if forest.grid is None else parts.threshold.astype(forest.grid.numeric)
    rows = parts.rows.astype(np.float32 if forest.leaf_step is None else forest.leaf_numeric)
    references = np.concatenate([parts.left, parts.right, parts.roots, [-len(parts.rows)]])
    wide = np.int16 if references.min() >= -32768 and references.max() <= 32767 else np.int32
    used = np.unique(parts.feature)
    tables = {
        "feature": feature.astype(np.uint8 if feature.max(initial=0) < 256 else np.uint16),
        "threshold": threshold,
        "left": parts.left.astype(wide),
        "right": parts.right.astype(wide),
        "root": parts.roots.astype(wide),
        "leaf": rows if parts.column is None else rows[:, 0],
    }
    if parts.column is not None:
        tables["column"] = parts.column.astype(np.uint8 if forest.columns < 256 else np.uint16)
    if forest.grid is not None and len(used):
        tables["low"], tables["per_step"] = forest.grid.low, forest.grid.per_step
    return {key: values if len(values) else np.zeros(1, values.dtype) for key, values in tables.items()}


def _cell(forest: Forest) -> str:
    return "float" if forest.grid is None else _C_TYPES[forest.grid.numeric]


def _c_type(values: np.ndarray) -> str:
    return _C_TYPES.get(values.dtype.name, "float")


def _written(key: str, values: np.ndarray) -> str:
    cells = values.reshape(-1).tolist()
    texts = [_number(v) if values.dtype.kind == "f" else str(v) for v in cells]
    rows = ",\n    ".join(", ".join(texts[i : i + _A_LINE]) for i in range(0, len(texts), _A_LINE))
    size = "".join(f"[{d}]" for d in values.shape)
    if values.ndim == 2:
        body = ",\n    ".join(
            "{" + ", ".join(texts[i : i + values.shape[1]]) + "}"
            for i in range(0, len(texts), values.shape[1])
        )
        return f"static const {_c_type(values)} {key}{size} = {{\n    {body}}};"
    return f"static const {_c_type(values)} {key}{size} = {{\n    {rows}}};"


def _number(value: float) -> str:
    """A float32 literal that reads back as the same number."""
    text = repr(float(np.float32(value)))
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _to_grid(forest: Forest) -> str:
    if forest.grid is None:
        return "    for (int i = 0; i < FEATURES; i++) grid[i] = x[i];"
    info = np.iinfo(forest.grid.numeric)
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
    least = np.iinfo(forest.grid.numeric).min
    return f"grid[column] > threshold[node] || ((feature[node] & 1) && grid[column] == {least})"


def _leaf(forest: Forest, parts: Subtrees) -> str:
    if parts.column is not None:
        return "        sums[column[tree]] += leaf[-1 - node];"
    return "        for (int i = 0; i < COLUMNS; i++) sums[i] += leaf[-1 - node][i];"


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
