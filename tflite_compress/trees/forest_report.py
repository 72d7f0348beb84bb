"""What a report says of a forest besides the figures every model has, and the samples it is chosen by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tflite_compress.data.split import Splits, split
from tflite_compress.runtimes.litert import predict
from tflite_compress.scoring.reference import Reference
from tflite_compress.support.notes import Note
from tflite_compress.support.source_text import identifier
from tflite_compress.trees.c_source import write_c_forest
from tflite_compress.trees.c_text import fill_forest_template
from tflite_compress.trees.compiled import measure_arm_size, run_c_code
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.forest_network import ForestNetwork

VECTORS = 16
TOLERANCE = 1e-5  # of the largest answer: float32 sums in another order


def with_choosing_samples(splits: Splits, given: bool, seed: int) -> Splits:
    """Keep half of the evaluation samples for passes to choose by; the verdict is on the other half.

    A forest knows its training samples by heart, so that passes can see on others only what they cost.

    Args:
        splits: The data.
        given: The user gave samples to choose by, as ``--calibrate``.
        seed: Seed of the split.
    """
    if given or len(splits.evaluate) < 4:
        return splits
    halves = split(splits.evaluate, seed, 0.5)
    text = f"{len(halves.train)} of the evaluation samples are held out for choosing settings"
    note = Note("choosing-samples", text)
    evaluate = halves.evaluate
    return Splits(splits.train, halves.train, replace(evaluate, notes=(*evaluate.notes, note)))


def forest_record(
    before: ForestNetwork, after: Forest, exported: bytes, reference: Reference
) -> dict[str, Any]:
    """Size of the forest before and after, and how the plain export agrees with the source.

    Args:
        before: The original forest.
        after: The compressed one.
        exported: The original as ``.tflite``, before anything was compressed.
        reference: The data.
    """
    x = _all_samples(reference)
    source = before.predict((x,))[0]
    found = predict(exported, (x,), *before.tensor_names)[0]
    return {
        "before": _figures(before.forest),
        "after": _figures(after),
        "export": {"compared_with": "its library" if before.original else "this tool's reading of the file"}
        | agreement(source, found, before.forest.task == "classification"),
    }


def agreement(source: np.ndarray, found: np.ndarray, classes: bool) -> dict[str, Any]:
    """On how many samples two arrays of answers, shape (samples, outputs), say the same.

    Classes are the same where the largest output is. Numbers are where they differ by no more than float32
    sums in another order do.
    """
    off = np.abs(source.astype(np.float64) - found)
    limit = TOLERANCE * max(1.0, float(np.abs(source).max(initial=0)))
    same = source.argmax(axis=1) == found.argmax(axis=1) if classes else off.max(axis=1) <= limit
    return {
        "samples": len(source),
        "same": int(same.sum()),
        "largest_difference": float(off.max(initial=0)),
        "within_rounding": bool(off.max(initial=0) <= limit),
    }


def c_files(
    before: Forest, after: ForestNetwork, reference: Reference
) -> tuple[dict[str, bytes], dict[str, Any], list[str]]:
    """C code of the compressed forest, checked where there is a compiler.

    Returns:
        The files, what to report of them, and notes.
    """
    name, x = identifier(after.name), _all_samples(reference)
    missing = bool(np.isnan(x).any())
    code, plain = write_c_forest(after.forest, name, missing), write_c_forest(before, name, missing)
    wanted = after.predict((x,))[0]
    record: dict[str, Any] = {
        "table_bytes": code.table_bytes,
        "uncompressed_table_bytes": plain.table_bytes,
    }
    notes = []
    found = run_c_code(code, name, x, after.forest.outputs)
    if found is None:
        notes.append("the C code was not compiled here: no C compiler (gcc) is installed")
    else:
        record["agreement"] = agreement(wanted, found, after.forest.task == "classification")
    sizes = measure_arm_size(code), measure_arm_size(plain)
    if sizes[0] is None or sizes[1] is None:
        notes.append("the C code's size on a Cortex-M was not measured: arm-none-eabi-gcc is not installed")
    else:
        record["cortex_m4"] = sizes[0]
        record["uncompressed_cortex_m4"] = sizes[1]
    if found is not None and not record["agreement"]["within_rounding"]:
        notes.append("the C code does NOT answer what the forest does: do not use it, and report this")
    files = {**code.files, **_check_files(name, x, wanted), "README.md": _readme(name, after.forest, record)}
    return files, record, notes


def _readme(name: str, forest: Forest, record: dict[str, Any]) -> bytes:
    flash = record.get("cortex_m4")
    grid = (
        f"Thresholds are {forest.grid.precision}. Samples can be brought to their grid ahead of time: "
        f"`{name}_to_grid`, then `{name}_raw`.\n"
        if forest.grid is not None
        else ""
    )
    values = {
        "name": name,
        "trees": len(forest.trees),
        "table_bytes": f"{record['table_bytes']:,}",
        "math": "" if forest.link == "identity" else " but `math.h`",
        "vectors": VECTORS,
        "grid": grid,
        "features": forest.features,
        "outputs": forest.columns,
        "figures": f"Flash, Cortex-M4 with -Os: {flash['flash_bytes']:,} bytes." if flash else "",
    }
    return fill_forest_template("forest_readme.md", **values)


def _check_files(name: str, x: np.ndarray, wanted: np.ndarray) -> dict[str, bytes]:
    """A program that runs the code on a few samples, on the device too."""
    few = np.linspace(0, len(x) - 1, min(VECTORS, len(x))).astype(int)
    values = {
        "name": name,
        "samples": len(few),
        "features": x.shape[1],
        "outputs": wanted.shape[1],
        "inputs": _rows(x[few]),
        "expected": _rows(wanted[few]),
        "tolerance": f"{TOLERANCE * max(1.0, float(np.abs(wanted).max())):.9g}f",
    }
    return {f"{name}_check.c": fill_forest_template("forest_check.c", **values)}


def _rows(values: np.ndarray) -> str:
    def cell(value: float) -> str:
        return "0.0f / 0.0f" if np.isnan(value) else f"{float(value)!r}f"

    return ",\n".join("    {" + ", ".join(cell(v) for v in row) + "}" for row in values.astype(np.float32))


def _all_samples(reference: Reference) -> np.ndarray:
    """Samples of the verdict and those passes chose by."""
    splits = reference.splits
    return np.concatenate([splits.evaluate.inputs[0], splits.calibrate.inputs[0]])


def _figures(forest: Forest) -> dict[str, Any]:
    return {
        "trees": len(forest.trees),
        "nodes": forest.nodes,
        "leaves": forest.leaves,
        "depth": forest.depth,
        "thresholds": forest.grid.precision if forest.grid is not None else "float32",
        "leaf_values": forest.leaf_precision,
    }
