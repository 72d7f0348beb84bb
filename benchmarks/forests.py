"""Decision trees: this tool beside scikit-learn, emlearn, m2cgen and hummingbird, interleaved, in one run.

    python benchmarks/forests.py FOLDER

Forests of 100 trees on scikit-learn's digits and breast cancer. Half of the samples train, a quarter is what
passes choose by, the last quarter what all are scored on. C code is compiled for this machine with -O2 and
for a Cortex-M4 with -Os. Needs: gcc, arm-none-eabi-gcc, pip install emlearn m2cgen, and hummingbird-ml with
torch, which is left out where it is not installed.
"""

from __future__ import annotations

import ctypes
import importlib
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from results import write_section
from sklearn import datasets, ensemble

import tflite_compress
from tflite_compress.runtimes.litert import LiteRTModel, predict
from tflite_compress.trees.c_source import write_c_forest
from tflite_compress.trees.compiled import ARM, ARM_FLAGS
from tflite_compress.trees.load_forest import load_forest

ROUNDS, SAMPLES = 10, 100
MAX_DROP = 0.005
DIVISIONS = (0, 1, 2, 3)
SETS: dict[str, Callable[..., Any]] = {
    "digits": datasets.load_digits,
    "breast cancer": datasets.load_breast_cancer,
}
MODELS: dict[str, Callable[[], Any]] = {
    "random forest": lambda: ensemble.RandomForestClassifier(100, random_state=0),
    "histogram boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=100, random_state=0),
}


@dataclass(frozen=True)
class Contender:
    """One way to run a forest.

    Attributes:
        name: What it is called.
        classes: Predicted class of each of many samples.
        timed: Answers ``SAMPLES`` samples, one at a time.
        file_bytes: Size of the model as a file; None for code.
        flash_bytes: Code and constants on a Cortex-M4; None for files.
    """

    name: str
    classes: Callable[[np.ndarray], np.ndarray]
    timed: Callable[[np.ndarray], Any]
    file_bytes: int | None = None
    flash_bytes: int | None = None


def by_library(model: Any) -> Contender:
    """scikit-learn itself."""

    def timed(x: np.ndarray) -> None:
        for i in range(len(x)):
            model.predict_proba(x[i : i + 1])

    return Contender("scikit-learn", model.predict, timed)


def by_file(name: str, content: bytes) -> Contender:
    """A ``.tflite`` in LiteRT, one thread."""
    ports = ("features",), ("probabilities",)
    runner = LiteRTModel(content, *ports)

    def timed(x: np.ndarray) -> None:
        for i in range(len(x)):
            runner.set_inputs((x[i : i + 1],))
            runner.invoke()

    def classes(x: np.ndarray) -> np.ndarray:
        return np.asarray(predict(content, (x,), *ports)[0].argmax(axis=1))

    return Contender(name, classes, timed, file_bytes=len(content))


def by_code(
    name: str, folder: Path, sources: dict[str, str], call: str, features: int, include: str = ""
) -> Contender:
    """C code, called in a loop of C.

    Args:
        name: What it is called.
        folder: Where to build it.
        sources: Files; ``model.c`` is what counts for flash.
        call: A C expression that gives the class of ``x``, a ``const float *``.
        features: Numbers in a sample.
        include: Folder of its headers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, source in sources.items():
        (folder / file).write_text(source)
    loop = (
        f"#include <stdint.h>\nint classify(const float *x);\n"
        f"void run(const float *x, int n, int32_t *out) {{ for (int i = 0; i < n; i++) "
        f"out[i] = classify(x + i * {features}); }}\n"
    )
    (folder / "loop.c").write_text(loop)
    extra = [f"-I{include}"] if include else []
    built = ["gcc", "-O2", "-shared", "-fPIC", *extra, "-o", "lib.so", "model.c", "loop.c", "-lm"]
    subprocess.run(built, cwd=folder, check=True)
    subprocess.run([ARM, *ARM_FLAGS, "-w", *extra, "-c", "-o", "arm.o", "model.c"], cwd=folder, check=True)
    table = subprocess.run(
        ["arm-none-eabi-size", "arm.o"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    flash = sum(int(cell) for cell in table.splitlines()[1].split()[:2])
    library = ctypes.CDLL(str((folder / "lib.so").absolute()))

    def classes(x: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(x, np.float32)
        out = np.zeros(len(x), np.int32)
        library.run(x.ctypes.data_as(ctypes.c_void_p), len(x), out.ctypes.data_as(ctypes.c_void_p))
        return out

    return Contender(name, classes, classes, flash_bytes=flash)


def own_code(name: str, folder: Path, files: dict[str, bytes]) -> Contender:
    """This tool's C code."""
    sources = {file: text.decode() for file, text in files.items() if not file.endswith("_check.c")}
    prefix = next(Path(f).stem for f in sources if f.endswith(".h"))
    declared = re.search(r"_FEATURES (\d+)", sources[f"{prefix}.h"])
    assert declared is not None, f"{prefix}.h does not declare the number of features"
    features = int(declared[1])
    body = sources.pop(f"{prefix}.c") + f"\nint classify(const float *x) {{ return {prefix}_class(x); }}\n"
    return by_code(name, folder, {**sources, "model.c": body}, "", features)


def by_m2cgen(model: Any, folder: Path, features: int, classes: int) -> Contender:
    """m2cgen's C code, as it comes."""
    m2cgen = importlib.import_module("m2cgen")
    sys.setrecursionlimit(100_000)
    text = m2cgen.export_to_c(model) + (
        f"\nint classify(const float *x) {{ double in[{features}], out[{classes}]; int best = 0;\n"
        f"for (int i = 0; i < {features}; i++) in[i] = x[i]; score(in, out);\n"
        f"for (int i = 1; i < {classes}; i++) if (out[i] > out[best]) best = i; return best; }}\n"
    )
    return by_code("m2cgen", folder, {"model.c": text}, "", features)


def by_emlearn(model: Any, folder: Path, x: np.ndarray) -> Contender:
    """Emlearn's inline code: int16 features, each tree votes for one class.

    Features that are not whole numbers are scaled to fill int16, as emlearn advises.
    """
    emlearn = importlib.import_module("emlearn")
    whole = bool(np.array_equal(x, np.round(x)))
    scale = np.ones(x.shape[1]) if whole else 32000 / np.abs(x).max(axis=0)
    if not whole and hasattr(model, "estimators_"):
        model = refitted(model, x, scale)
    emlearn.convert(model, method="inline", dtype="int16_t").save(
        file=str(folder / "eml.h"), name="eml", format="c"
    )
    factors = ", ".join(f"{float(s):.8e}f" for s in scale)
    cells = "(int16_t)(x[i] * factor[i])" if not whole else "(int16_t)x[i]"
    text = (
        f'#include "eml.h"\nstatic const float factor[] = {{{factors}}};\n'
        f"int classify(const float *x) {{ int16_t in[{x.shape[1]}];\n"
        f"for (int i = 0; i < {x.shape[1]}; i++) in[i] = {cells};\n"
        f"return eml_predict(in, {x.shape[1]}); }}\n"
    )
    return by_code("emlearn, inline, int16", folder, {"model.c": text}, "", x.shape[1], emlearn.includedir)


def refitted(model: Any, x: np.ndarray, scale: np.ndarray) -> Any:
    """The same forest with its thresholds scaled, since emlearn converts what it is given."""
    import copy

    scaled = copy.deepcopy(model)
    for member in scaled.estimators_:
        state = member.tree_.__getstate__()
        split = state["nodes"]["left_child"] >= 0
        state["nodes"]["threshold"][split] *= scale[state["nodes"]["feature"][split]]
        member.tree_.__setstate__(state)
    return scaled


def by_hummingbird(model: Any, x: np.ndarray) -> Contender:
    """Hummingbird's PyTorch form, one thread."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    converted = importlib.import_module("hummingbird.ml").convert(model, "pytorch", x[:1])

    def timed(samples: np.ndarray) -> None:
        for i in range(len(samples)):
            converted.predict_proba(samples[i : i + 1])

    return Contender("hummingbird, PyTorch", converted.predict, timed)


def contenders(
    model: Any, kind: str, folder: Path, data: dict[str, np.ndarray]
) -> tuple[list[Contender], list[str]]:
    """All that can run the forest, and why others cannot."""
    forest, _, _ = load_forest(model, trust=False)
    plain = tflite_compress.compress(
        model, "rp2040", "forest-exact", **splits(data), out=folder / "exact", details=False
    )
    small = tflite_compress.compress(
        model, "rp2040", **splits(data), out=folder / "small", max_drop=MAX_DROP, details=False
    )
    light = tflite_compress.compress(
        model, "raspberry-pi-4", **splits(data), out=folder / "light", max_drop=MAX_DROP, details=False
    )
    facts = plain.report.forest
    assert facts is not None
    export = facts.export
    notes = [
        f"the .tflite agrees with scikit-learn on {export.same} of {export.samples} samples "
        "before quantization"
    ]
    notes.append(f"compressed: {small.report.recipe.summary}")
    code = {
        p.name: p.read_bytes()
        for p in (small.tflite.parent / "bundle" / "c").iterdir()
        if p.suffix in (".c", ".h")
    }
    found = [
        by_library(model),
        by_file(".tflite, uncompressed", exported(folder / "exact")),
        by_file(".tflite, compressed", light.tflite.read_bytes()),
        own_code(
            "tflite-compress C, uncompressed",
            folder / "c-plain",
            write_c_forest(forest, "plain", False).files,
        ),
        own_code("tflite-compress C, compressed", folder / "c-small", code),
    ]
    others: dict[str, Callable[[], Contender]] = {
        "m2cgen": lambda: by_m2cgen(model, folder / "m2cgen", forest.features, len(forest.classes)),
        "emlearn": lambda: by_emlearn(model, made(folder / "emlearn"), data["x_train"]),
        "hummingbird": lambda: by_hummingbird(model, data["x_train"]),
    }
    for name, make in others.items():
        try:
            found.append(make())
            np.seterr(all="warn")  # one of them makes numpy raise
        except Exception as error:  # each of them fails in its own way; that is a result too
            notes.append(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:120]}")
    return found, notes


def made(folder: Path) -> Path:
    """The folder, there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def exported(folder: Path) -> bytes:
    """The one ``.tflite`` in a folder."""
    return next(folder.glob("*.tflite")).read_bytes()


def splits(data: dict[str, np.ndarray]) -> dict[str, Any]:
    """Training, choosing and scoring samples as ``compress`` takes them."""
    return {
        "train": (data["x_train"], data["y_train"]),
        "calibrate": (data["x_choose"], data["y_choose"]),
        "evaluate": (data["x_test"], data["y_test"]),
    }


def shared(load: Callable[..., Any], seed: int = 0) -> dict[str, np.ndarray]:
    """A data set in three parts."""
    x, y = load(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order].astype(np.float32), y[order]
    half, rest = len(x) // 2, 3 * len(x) // 4
    parts = {"train": slice(0, half), "choose": slice(half, rest), "test": slice(rest, None)}
    return {f"{n}_{part}": v[rows] for part, rows in parts.items() for n, v in (("x", x), ("y", y))}


def microseconds(found: list[Contender], x: np.ndarray) -> list[float]:
    """Median time of one sample, all interleaved."""
    few = x[np.arange(SAMPLES) % len(x)]
    times: list[list[float]] = [[] for _ in found]
    for _ in range(ROUNDS):
        for contender, own in zip(found, times, strict=True):
            start = time.perf_counter()
            contender.timed(few)
            own.append((time.perf_counter() - start) / SAMPLES * 1e6)
    return [statistics.median(own) for own in times]


def other_splits(folder: Path) -> list[str]:
    """How the compressed C code does where the samples are divided otherwise."""
    lines = [
        "| data | forest | split | size ratio of the C tables | accuracy drop, points | trees |",
        "|---|---|---|---|---|---|",
    ]
    for data_name, load in SETS.items():
        for kind, make in MODELS.items():
            for seed in DIVISIONS:
                data = shared(load, seed)
                model = make().fit(data["x_train"], data["y_train"])
                small = tflite_compress.compress(
                    model, "rp2040", **splits(data), out=folder / "other", max_drop=MAX_DROP, details=False
                ).report
                assert small.forest is not None and small.forest.code is not None
                code, trees = small.forest.code, small.forest.after.trees
                ratio = code.table_bytes / code.uncompressed_table_bytes
                lost = 100 * small.accuracy.drop
                lines.append(f"| {data_name} | {kind} | {seed} | {ratio:.2f} | {lost:+.2f} | {trees} |")
    return lines


def main(folder: Path) -> None:
    """Compare everything and write the section."""
    lines = [
        *TEXT,
        "",
        "| data | forest | implementation | file, bytes | Cortex-M4 flash, bytes | accuracy | µs per sample "
        "|",
    ]
    lines.append("|---|---|---|---|---|---|---|")
    remarks = []
    for data_name, load in SETS.items():
        data = shared(load)
        for kind, make in MODELS.items():
            model = make().fit(data["x_train"], data["y_train"])
            place = folder / f"{data_name}-{kind}".replace(" ", "-")
            found, notes = contenders(model, kind, place, data)
            for contender, us in zip(found, microseconds(found, data["x_test"]), strict=True):
                accuracy = float(np.mean(contender.classes(data["x_test"]) == data["y_test"]))
                sizes = [
                    f"{b:,}" if b is not None else "" for b in (contender.file_bytes, contender.flash_bytes)
                ]
                cells = (data_name, kind, contender.name, *sizes, f"{accuracy:.4f}", f"{us:.2f}")
                lines.append(f"| {' | '.join(cells)} |")
            remarks += [f"- {data_name}, {kind}: {note}" for note in notes]
    others = other_splits(folder)
    write_section("Decision trees", [*lines, "", *remarks, "", OTHERS, "", *others])


TEXT = [
    "Written by `benchmarks/forests.py`. 100 trees or 100 rounds of boosting with scikit-learn's defaults. "
    "The "
    "accuracy drop may be at most 0.5 points.",
    "",
    "- Samples: half for training, a quarter for choosing settings, a quarter for accuracy (digits 450 "
    "samples, "
    "breast cancer 143).",
    "- Time: per sample, one sample after the other, interleaved on this machine. C code is called from a "
    "loop in "
    "C, the others from Python.",
    "- Flash: code and constants of the object file, `-Os`, soft float.",
    "- emlearn: each tree votes for one class, in int16.",
]

OTHERS = "The result depends on the split of the samples. Four splits of the same data:"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
