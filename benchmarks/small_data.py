"""What 4,000 images allow: the points that compression loses with few training samples, for docs/results.md.

    python benchmarks/small_data.py [FOLDER] [--images=FOLDER] [--model=NAME] [--row=TEXT] [--seed=N]
        [--table]

Trains a ResNet8 of MLPerf Tiny's layout on colour images and the CNN of fashion.py on Fashion-MNIST, then
compresses them with 4,000 of the training images; accuracy is that on all test images. The same is done with
TF-MOT by hand, the plain converter and litert-quantizer. FOLDER keeps models and finished rows, so an
interrupted run goes on. Without it, this is benchmarks/measured/, where the networks and the rows of
docs/results.md are kept: delete a row to measure it anew. --model and --row choose what runs: the row of that
name, or all rows whose name contains the text. --table writes the section of docs/results.md.
Needs: apt-get install dataset-fashion-mnist; --images: a folder of Tiny ImageNet, see colour_images.py.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import others
from results import measured, write_section
from small_sets import IMAGES, SETS, few
from tasks import outputs_of

SEEDS = range(10)
MEASURED = Path(__file__).parent / "measured"  # the networks and rows of docs/results.md


@dataclass(frozen=True)
class Job:
    """What a row gets.

    Attributes:
        model: The trained network.
        x: Images for training and calibration, shape (IMAGES, height, width, channels).
        y: Their labels.
        evaluate: Test images and labels.
        out: Folder that the row may write.
        seed: Of everything random.
    """

    model: Path
    x: np.ndarray
    y: np.ndarray
    evaluate: tuple[np.ndarray, np.ndarray]
    out: Path
    seed: int


@dataclass(frozen=True)
class Recipe:
    """A recipe of this tool, with its settings and a device that it is for."""

    name: str
    settings: Mapping[str, float] = field(default_factory=dict)
    device: str = "raspberry-pi-4"

    def __call__(self, job: Job) -> bytes:
        """Compress with the recipe's first settings, as other tools have no fallbacks."""
        from tflite_compress import compress

        result = compress(
            job.model,
            self.device,
            self.name,
            train=(job.x, job.y),
            evaluate=job.evaluate,
            overrides=dict(self.settings),
            max_drop=1.0,
            seed=job.seed,
            bundle=False,
            details=False,
            latency_seconds=0.01,
            out=job.out,
        )
        return result.tflite.read_bytes()


@dataclass(frozen=True)
class Row:
    """A way to compress, and the goal for it on two idle cores.

    Attributes:
        make: Makes the file.
        points: Accuracy that may be lost; None without a goal.
        seconds: Time that it may take; None without a goal.
        images: Training images that it gets; None for all.
    """

    make: Callable[[Job], bytes]
    points: float | None = None
    seconds: int | None = None
    images: int | None = IMAGES


def channels(epochs: int = 30, **targets: float) -> Recipe:
    """Channel pruning to a target of bytes or MACs alone."""
    settings = {"target_macs": 1.0, "target_size": 1.0, "epochs": epochs, **targets}
    return Recipe("channel-prune-int8", settings)


def _pruned(sparsity: float, epochs: int) -> Recipe:
    return Recipe("prune-int8", {"sparsity": sparsity, "epochs": epochs})


def _encoded(bits: float, epochs: int) -> Recipe:
    return Recipe("deep-compression-int8", {"bits": bits, "epochs": epochs}, "rp2040")


def _by_hand(sparsity: float, epochs: int) -> Callable[[Job], bytes]:
    return lambda job: others.pruned(job.model, job.x, job.y, sparsity, epochs, job.seed)


ROWS = {
    "int8, converter": Row(lambda job: others.converted(job.model, job.x, job.seed)),
    "int8, litert-quantizer": Row(lambda job: others.quantized(job.model, job.x, job.seed)),
    "int8": Row(Recipe("int8"), 0.3, 60),
    "repaired int8": Row(Recipe("repair-int8"), 0.3, 60),
    "50 % sparse, TF-MOT by hand": Row(_by_hand(0.5, 30)),
    "50 % sparse": Row(_pruned(0.5, 30), 0.8, 300),
    "65 % sparse, TF-MOT by hand": Row(_by_hand(0.65, 30)),
    "65 % sparse": Row(_pruned(0.65, 30), 1.5, 300),
    "80 % sparse, TF-MOT by hand": Row(_by_hand(0.8, 100)),
    "80 % sparse": Row(_pruned(0.8, 100), 3.0, 1200),
    "one-shot 50 % sparse": Row(Recipe("oneshot-prune-int8", {"sparsity": 0.5}), 1.0, 60),
    "one-shot channels, 0.8x MACs": Row(Recipe("oneshot-channel-int8", {"target_macs": 0.8}), 2.0, 60),
    "deep compression, 0.35x bytes": Row(_encoded(1.7, 30), 1.5, 600),
    "channels, 0.75x bytes": Row(channels(target_size=0.75), 1.5, 300),
    "channels, 0.6x bytes": Row(channels(target_size=0.6), 2.5, 600),
    "channels, 0.65x MACs": Row(channels(target_macs=0.65), 2.0, 600),
}


class Result(msgspec.Struct, frozen=True):
    """A finished row.

    Attributes:
        bytes: Of the file.
        top1: On the test images.
        drop: Points lost, and the ends of its 95 % interval.
        seconds: Wall time of the whole row, on a machine that may have had other work.
        cpu_seconds: Processor time of the whole row on all cores, without child processes.
        date: Day of the measurement, as 2026-11-28.
    """

    bytes: int
    top1: float
    drop: tuple[float, float, float]
    seconds: float
    cpu_seconds: float
    date: str


def run(folder: Path, model: str, row: Row, seed: int, out: Path, images: Path | None) -> Result:
    """Compress once into the folder ``out``, and score the file."""
    data = SETS[model]
    x_train, y_train, x_test, y_test = data.load(images)
    chosen = few(len(x_train), seed, row.images)
    job = Job(folder / f"{model}.keras", x_train[chosen], y_train[chosen], (x_test, y_test), out, seed)
    start, cpu = time.perf_counter(), time.process_time()
    content = row.make(job)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    before = others.float_outputs(job.model, x_test)
    after = outputs_of(_without_encoding(content, out), x_test)
    drop = others.drop_in_points(before, after, x_test, y_test)
    top1 = float(np.mean(after.argmax(1) == y_test))
    return Result(len(content), top1, drop, seconds, cpu, datetime.date.today().isoformat())


def _without_encoding(content: bytes, out: Path) -> bytes:
    """Return the file with plain weights, whose outputs are the same: LiteRT can't decode weights."""
    plain = [*out.glob("*.plain.tflite")]
    return plain[0].read_bytes() if plain else content


def finished(folder: Path, model: str, seed: int, name: str) -> Path:
    """The file of a finished row."""
    return folder / f"{model}-{seed}-{name.replace(' ', '_').replace(',', '').replace('%', 'percent')}.json"


def read_rows(folder: Path, model: str, name: str) -> list[Result]:
    """The finished rows of a name, by seed."""
    paths = [path for seed in SEEDS if (path := finished(folder, model, seed, name)).exists()]
    return [msgspec.json.decode(path.read_bytes(), type=Result) for path in paths]


def line(folder: Path, model: str, name: str, row: Row) -> str | None:
    """One line of the table: the mean over the seeds that are finished; None if there are none."""
    found = read_rows(folder, model, name)
    if not found:
        return None
    drops = "; ".join(f"{r.drop[0]:+.2f} ({r.drop[1]:+.2f} to {r.drop[2]:+.2f})" for r in found)
    mean = float(np.mean([r.drop[0] for r in found]))
    times = "/".join(
        f"{np.mean([getattr(r, name) for r in found]):.0f}" for name in ("seconds", "cpu_seconds")
    )
    points = "" if row.points is None else f"{row.points:.1f}"
    seconds = "" if row.seconds is None else f"{row.seconds}"
    size = max(r.bytes for r in found)
    return f"| {model}, {name} | {size:,} | {mean:+.2f} | {drops} | {points} | {times} | {seconds} |"


def write_table(folder: Path, rows: Mapping[str, Row], title: str, about: str) -> None:
    """Write the section of docs/results.md."""
    found = [(model, line(folder, model, name, row)) for model in SETS for name, row in rows.items()]
    lines = [(model, text) for model, text in found if text]
    dates = [r.date for model in SETS for name in rows for r in read_rows(folder, model, name)]
    counts = dict.fromkeys(row.images for row in rows.values())
    images = " or ".join("all training images" if n is None else f"{n:,} images" for n in counts)
    write_section(
        title,
        [
            f"{about} {measured(dates)} Training and "
            f"calibration with {images}, int8 files, accuracy on all test "
            "images. Each drop has its 95 % interval; one value for each seed that was run. Seconds: wall "
            "time, and processor time of all cores without child processes; the machine may have had other "
            "work, or a row one core only. Rows without a goal are for comparison.",
            "",
            *(f"- {model}: {SETS[model].about}." for model in dict(lines)),
            "",
            "| model and row | bytes | mean drop, points | drops | goal, points | seconds | goal, seconds |",
            "|---|---|---|---|---|---|---|",
            *(text for _, text in lines),
        ],
    )


def parsed(description: str | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path, nargs="?", default=MEASURED)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--model", default="", choices=["", *SETS])
    parser.add_argument("--row", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true")
    return parser.parse_args()


def run_rows(rows: Mapping[str, Row], title: str, about: str, description: str | None) -> None:
    """Run the rows that are chosen on the command line and not finished, or write their table."""
    given = parsed(description)
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.table:
        write_table(given.folder, rows, title, about)
        return
    for model in [given.model] if given.model else [*SETS]:
        SETS[model].trained(given.folder / f"{model}.keras", given.images)
        for name in [given.row] if given.row in rows else [name for name in rows if given.row in name]:
            path = finished(given.folder, model, given.seed, name)
            if not path.exists():
                found = run(given.folder, model, rows[name], given.seed, path.with_suffix(""), given.images)
                path.write_bytes(msgspec.json.encode(found))
            print(model, name, path.read_text(), flush=True)


if __name__ == "__main__":
    run_rows(ROWS, "Small data", "Written by `benchmarks/small_data.py`.", __doc__)
