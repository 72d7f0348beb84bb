"""What 4,000 windows of sound allow: the AUC that compressing an autoencoder loses, for docs/results.md.

    python benchmarks/small_sounds.py [FOLDER] [--row=TEXT] [--seed=N] [--table]

Trains a dense autoencoder (640-128-128-128-128-8-128-128-128-128-640, BatchNorm after each) on sounds of
machines that are made by arithmetic, then compresses it with 4,000 of the windows it was trained on. The area
under the ROC curve is that on 4,000 other windows, half of them of faulty machines. FOLDER keeps the model
and finished rows, so an interrupted run goes on; without it, it is benchmarks/measured, as in small_data.py.
--table writes the section of docs/results.md.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from machine_sounds import FRAMES, MELS, windows
from results import measured, write_section
from small_data import MEASURED
from small_sets import save

TRAINED, WINDOWS, JUDGED = 12_000, 4_000, 2_000
UNITS = (128, 128, 128, 128, 8, 128, 128, 128, 128)
DEVICE = "rp2040"
MODEL = "autoencoder.keras"
SEEDS = range(10)


@dataclass(frozen=True)
class Row:
    """A recipe with its settings, and the goal for it on two idle cores.

    Attributes:
        recipe: Name of the recipe.
        settings: Its settings.
        share: Largest share of int8's bytes; None without a goal.
        auc: AUC that may be lost; None without a goal.
        seconds: Time that it may take; None without a goal.
    """

    recipe: str
    settings: Mapping[str, float] = field(default_factory=dict)
    share: float | None = None
    auc: float | None = None
    seconds: int | None = None


ROWS = {
    "int8": Row("int8"),
    "deep-compression-int8": Row("deep-compression-int8", {}, 0.5, 0.01, 180),
    "deep-compression-int8, 3 bits": Row("deep-compression-int8", {"bits": 3.0}, 0.5, 0.01, 180),
}


class Result(msgspec.Struct, frozen=True):
    """A finished row.

    Attributes:
        bytes: Of the file.
        auc: Of the float network and of the file.
        low, high: Ends of the 95 % interval of the drop of the AUC; None where there is none.
        time_ratio: Time with encoded weights on TFLite Micro, relative to plain ones; None without encoding.
        seconds: Wall time of the whole row, on a machine that may have had other work.
        cpu_seconds: Processor time of the whole row on all cores, without child processes.
        date: Day of the measurement, as 2026-11-28.
    """

    bytes: int
    auc: tuple[float, float]
    low: float | None
    high: float | None
    time_ratio: float | None
    seconds: float
    cpu_seconds: float
    date: str


def sounds(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return windows for training, and those that judge: without a fault, then with one. Made once."""
    path = folder / "windows.npz"
    if not path.exists():
        judged = [windows(JUDGED, is_faulty, 1 + is_faulty) for is_faulty in (False, True)]
        np.savez(path, train=windows(TRAINED, False, 0), judged=np.concatenate(judged))
    with np.load(path) as found:
        return found["train"], found["judged"]


def train(path: Path, data: np.ndarray) -> None:
    """Train the autoencoder on sounds of machines without faults."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = inputs = keras.Input((FRAMES * MELS,), name="mels")
    for units in UNITS:
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(units)(x)))
    model = keras.Model(inputs, layers.Dense(FRAMES * MELS, name="rebuilt")(x), name="autoencoder")
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    model.fit(data, data, batch_size=256, epochs=30, verbose=0)
    save(model, path)


def run(folder: Path, row: Row, seed: int, out: Path) -> Result:
    """Compress with the recipe's first settings."""
    from tflite_compress import compress

    training, judged = sounds(folder)
    training = training[np.random.default_rng(seed).permutation(TRAINED)[:WINDOWS]]
    labels = np.repeat([0, 1], JUDGED)
    start, cpu = time.perf_counter(), time.process_time()
    result = compress(
        folder / MODEL,
        DEVICE,
        row.recipe,
        train=training,
        evaluate=(judged, labels),
        overrides=dict(row.settings),
        max_drop=1.0,
        seed=seed,
        bundle=False,
        details=False,
        out=out,
    )
    report = result.report
    evidence = report.accuracy.evidence
    interval = evidence.drop_interval if evidence else None
    return Result(
        report.size.result.bytes,
        (report.accuracy.before, report.accuracy.after),
        interval.low if interval else None,
        interval.high if interval else None,
        report.encoding.time_ratio if report.encoding else None,
        time.perf_counter() - start,
        time.process_time() - cpu,
        datetime.date.today().isoformat(),
    )


def finished(folder: Path, seed: int, name: str) -> Path:
    """The file of a finished row."""
    return folder / f"autoencoder-{seed}-{name.replace(' ', '_').replace(',', '')}.json"


def results(folder: Path, name: str) -> list[Result]:
    """The results of a row, for the seeds that are finished."""
    paths = [finished(folder, seed, name) for seed in SEEDS]
    return [msgspec.json.decode(path.read_bytes(), type=Result) for path in paths if path.exists()]


def line(folder: Path, name: str) -> str | None:
    """One line of the table: means over the seeds that are finished; None if there are none."""
    found, plain = results(folder, name), results(folder, "int8")
    if not found or not plain:
        return None
    row, size = ROWS[name], float(np.mean([r.bytes for r in found]))
    share = size / plain[0].bytes
    drops = "; ".join(
        f"{r.auc[0] - r.auc[1]:+.4f}"
        + (f" ({r.low:+.4f} to {r.high:+.4f})" if r.low is not None and r.high is not None else "")
        for r in found
    )
    after = float(np.mean([r.auc[1] for r in found]))
    ratios = [r.time_ratio for r in found if r.time_ratio is not None]
    slower = f"{np.mean(ratios):.1f}" if ratios else ""
    seconds = float(np.mean([r.seconds for r in found])), float(np.mean([r.cpu_seconds for r in found]))
    goals = (row.share, row.auc, row.seconds)
    goal = ", ".join(f"{g:g}" for g in goals if g is not None)
    return (
        f"| {name} | {size:,.0f} | {share:.2f} | {after:.4f} | {drops} | {slower} | "
        f"{seconds[0]:.0f} | {seconds[1]:.0f} | {goal} |"
    )


def write_table(folder: Path) -> None:
    """Write the section of docs/results.md."""
    dates = [result.date for name in ROWS for result in results(folder, name)]
    text = (
        f"Written by `benchmarks/small_sounds.py`. {measured(dates)} Training "
        f"and calibration with {WINDOWS:,} windows, device "
        f"{DEVICE}. The AUC is that on {2 * JUDGED:,} windows, half of them of faulty machines. Each drop of "
        "the AUC has its 95 % interval; one value for each seed that was run. Time on TFLite Micro is "
        "relative to plain weights. Seconds are those of the whole call on a machine that had other work. A "
        "goal is a share of int8's bytes, a drop of the AUC, and seconds on two idle cores."
    )
    heads = "| row | bytes | of int8 | AUC | drops | time | seconds | CPU seconds | goal |"
    lines = [found for name in ROWS if (found := line(folder, name))]
    write_section("Small data, machine sounds", [text, "", heads, "|" + "---|" * 9, *lines])


def main() -> None:
    """Run the rows that are chosen and not finished."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=MEASURED)
    parser.add_argument("--row", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.table:
        write_table(given.folder)
        return
    if not (given.folder / MODEL).exists():
        train(given.folder / MODEL, sounds(given.folder)[0])
    for name in (name for name in ROWS if given.row in name):
        path = finished(given.folder, given.seed, name)
        if not path.exists():
            path.write_bytes(
                msgspec.json.encode(run(given.folder, ROWS[name], given.seed, path.with_suffix("")))
            )
        print(name, path.read_text(), flush=True)


if __name__ == "__main__":
    main()
