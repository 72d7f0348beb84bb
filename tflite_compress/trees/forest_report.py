"""What a report says of a forest besides the figures every model has, and the samples it is chosen by."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from tflite_compress.data.split import Splits, split
from tflite_compress.runtimes.litert import predict
from tflite_compress.scoring.reference import Reference
from tflite_compress.support.notes import Note
from tflite_compress.support.source_text import identifier
from tflite_compress.trees.c_source import CForest, write_c_forest
from tflite_compress.trees.c_text import fill_forest_template
from tflite_compress.trees.compiled import measure_arm_size, run_c_code
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.forest_network import ForestNetwork

VECTORS = 16
TOLERANCE = 1e-5  # of the largest answer: float32 sums in another order


def with_choosing_samples(splits: Splits, given: bool, seed: int) -> Splits:
    """Keep half of the evaluation samples for passes to choose by; the verdict is on the other half.

    Forests overfit their training samples, so the accuracy drop of a pass shows only on other samples.

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
    evaluate = replace(halves.evaluate, notes=(*halves.evaluate.notes, note))
    return replace(splits, calibrate=halves.train, evaluate=evaluate)


class ForestSize(msgspec.Struct, frozen=True):
    """Size of a forest.

    Attributes:
        trees: Number of trees.
        nodes: Number of splits and leaves.
        leaves: Number of leaves.
        depth: Largest number of splits from the root to a leaf.
        thresholds: Type of the thresholds.
        leaf_values: Type of the numbers in leaves.
    """

    trees: int
    nodes: int
    leaves: int
    depth: int
    thresholds: str
    leaf_values: str


class Agreement(msgspec.Struct, frozen=True):
    """On how many samples two forms of a forest predict the same.

    Attributes:
        samples: Number of samples.
        same: Number with the same class, or with numbers that differ by no more than float32 rounding.
        largest_difference: Largest absolute difference of outputs.
        is_within_rounding: True if all outputs differ by no more than float32 rounding.
    """

    samples: int
    same: int
    largest_difference: float
    is_within_rounding: bool


class CodeSize(msgspec.Struct, frozen=True):
    """Size of C code on a Cortex-M4 compiled with ``-Os``, in bytes."""

    flash_bytes: int
    ram_bytes: int


class ForestCode(msgspec.Struct, frozen=True):
    """C code of a compressed forest.

    Attributes:
        table_bytes: Bytes of its constant tables.
        uncompressed_table_bytes: The same of the original forest.
        cortex_m4: Its size on a Cortex-M4; None where arm-none-eabi-gcc is not installed.
        uncompressed_cortex_m4: The same of the original forest.
        agreement: Compared with the compressed forest; None where gcc is not installed.
    """

    table_bytes: int
    uncompressed_table_bytes: int
    cortex_m4: CodeSize | None = None
    uncompressed_cortex_m4: CodeSize | None = None
    agreement: Agreement | None = None


class ForestFacts(msgspec.Struct, frozen=True):
    """What a report says about decision trees besides the figures every model has.

    Attributes:
        before: The original forest.
        after: The compressed forest.
        export_reference: What the uncompressed ``.tflite`` is compared with.
        export: Agreement of the uncompressed ``.tflite`` with it.
        code: The C code; None where the device does not use it.
    """

    before: ForestSize
    after: ForestSize
    export_reference: str
    export: Agreement
    code: ForestCode | None = None


def forest_facts(
    before: ForestNetwork,
    after: Forest,
    exported: bytes,
    reference: Reference,
    code: ForestCode | None = None,
) -> ForestFacts:
    """Collect the size of a forest before and after, and the agreement of its export.

    Args:
        before: The original forest.
        after: The compressed one.
        exported: The original as ``.tflite``, before anything was compressed.
        reference: The data.
        code: The C code of the compressed forest, if the device uses it.
    """
    x = _all_samples(reference)
    source = before.predict((x,))[0]
    found = predict(exported, (x,), *before.tensor_names)[0]
    return ForestFacts(
        before=_size(before.forest),
        after=_size(after),
        export_reference="its library" if before.original else "this tool's reading of the file",
        export=compare_predictions(source, found, before.forest.task == "classification"),
        code=code,
    )


def compare_predictions(source: np.ndarray, found: np.ndarray, classes: bool) -> Agreement:
    """Compare two arrays of predictions, shape (samples, outputs).

    Args:
        source: Expected predictions.
        found: Predictions to compare.
        classes: Compare classes, by the largest output; otherwise numbers, which are the same where they
            differ by no more than float32 sums in another order do.
    """
    off = np.abs(source.astype(np.float64) - found)
    limit = TOLERANCE * max(1.0, float(np.abs(source).max(initial=0)))
    same = source.argmax(axis=1) == found.argmax(axis=1) if classes else off.max(axis=1) <= limit
    largest = float(off.max(initial=0))
    return Agreement(len(source), int(same.sum()), largest, largest <= limit)


def make_c_files(
    before: Forest, after: ForestNetwork, reference: Reference
) -> tuple[dict[str, bytes], ForestCode, tuple[Note, ...]]:
    """Write C code of the compressed forest, and check it where there is a compiler.

    Returns:
        The files by name, facts about them, and notes.
    """
    name, x = identifier(after.name), _all_samples(reference)
    missing = bool(np.isnan(x).any())
    code, plain = write_c_forest(after.forest, name, missing), write_c_forest(before, name, missing)
    wanted = after.predict((x,))[0]
    notes = []
    agreement = None
    found = run_c_code(code, name, x, after.forest.outputs)
    if found is None:
        text = "the C code was not compiled here: no C compiler (gcc) is installed"
        notes.append(Note("c-code-not-compiled", text))
    else:
        agreement = compare_predictions(wanted, found, after.forest.task == "classification")
    small, large = _cortex_m4_size(code), _cortex_m4_size(plain)
    if small is None or large is None:
        text = "the C code's size on a Cortex-M was not measured: arm-none-eabi-gcc is not installed"
        notes.append(Note("c-code-size-unknown", text))
    if agreement is not None and not agreement.is_within_rounding:
        text = "the C code predicts something else than the forest: do not use it, and report this"
        notes.append(Note("c-code-differs", text, "warning"))
    facts = ForestCode(code.table_bytes, plain.table_bytes, small, large, agreement)
    files = {**code.files, **_check_files(name, x, wanted), "README.md": _readme(name, after.forest, facts)}
    return files, facts, tuple(notes)


def _cortex_m4_size(code: CForest) -> CodeSize | None:
    found = measure_arm_size(code)
    return None if found is None else CodeSize(found["flash_bytes"], found["ram_bytes"])


def _readme(name: str, forest: Forest, code: ForestCode) -> bytes:
    size = code.cortex_m4
    grid = (
        f"Thresholds are {forest.grid.precision}. Samples can be brought to their grid ahead of time: "
        f"`{name}_to_grid`, then `{name}_raw`.\n"
        if forest.grid is not None
        else ""
    )
    values = {
        "name": name,
        "trees": len(forest.trees),
        "table_bytes": f"{code.table_bytes:,}",
        "math": "" if forest.link == "identity" else " but `math.h`",
        "vectors": VECTORS,
        "grid": grid,
        "features": forest.features,
        "outputs": forest.columns,
        "figures": f"Flash, Cortex-M4 with -Os: {size.flash_bytes:,} bytes." if size else "",
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


def _size(forest: Forest) -> ForestSize:
    thresholds = forest.grid.precision if forest.grid is not None else "float32"
    return ForestSize(
        len(forest.trees), forest.nodes, forest.leaves, forest.depth, thresholds, forest.leaf_precision
    )
