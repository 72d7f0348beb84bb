"""Pruning figures on Fashion-MNIST, written to docs/results.md.

Trains the CNN of benchmarks/fashion.py, then compresses it with prune-int8 at 50 and 80 % sparsity, with
labels and without. About 20 minutes on 2 cores. Run with: .venv/bin/python benchmarks/pruning.py [MODEL]
(MODEL: where the trained CNN is kept between runs)
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import fashion
import numpy as np
from results import write_section

from tflite_compress import compress
from tflite_compress.reporting.model import Report


def run(
    model: Path, train: Any, test: Any, recipe: str, sparsity: float | None, folder: str
) -> tuple[Report, float]:
    """Compress once and return the report with the wall time in seconds."""
    start = time.perf_counter()
    result = compress(
        model,
        "raspberry-pi-4",
        recipe,
        train=train,
        evaluate=test,
        overrides={} if sparsity is None else {"sparsity": sparsity},
        max_drop=1.0,
        out=Path(folder) / f"{recipe}-{sparsity}-{isinstance(train, tuple)}",
    )
    return result.report, time.perf_counter() - start


def row(name: str, report: Report, wall_s: float) -> str:
    """One line of the table."""
    size, accuracy = report.size.result, report.accuracy
    return (
        f"| {name} | {size.bytes:,} | {size.gzip_bytes:,} | {accuracy.after:.4f} | "
        f"{100 * accuracy.drop:+.2f} | {report.latency.ratio:.2f} | {wall_s:.0f} |"
    )


def main() -> None:
    """Train, compress, write the table."""
    x_train, y_train, x_test, y_test = fashion.load()
    scale = np.float32(1 / 255)
    train, test = (x_train * scale, y_train), (x_test * scale, y_test)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "fashion.keras"
        if not model.exists():
            fashion.train(model)
        reports = {
            "int8": run(model, train, test, "int8", None, folder),
            "prune-int8, 50 %": run(model, train, test, "prune-int8", 0.5, folder),
            "prune-int8, 50 %, no labels": run(model, train[0], test, "prune-int8", 0.5, folder),
            "prune-int8, 80 %": run(model, train, test, "prune-int8", 0.8, folder),
            "prune-int8, 80 %, no labels": run(model, train[0], test, "prune-int8", 0.8, folder),
        }
    first, _ = reports["int8"]
    size = first.size.baseline
    write_section(
        "Pruning, Fashion-MNIST",
        [
            f"Written by `benchmarks/pruning.py`. {first.parameters.original:,} parameters; "
            f"top-1 on the {first.accuracy.samples:,} test images {first.accuracy.before:.4f}; "
            f'float32 `.tflite` {size.bytes:,} bytes, {size.gzip_bytes:,} bytes gzipped. Rows "no '
            'labels" train without labels. Test labels are used for evaluation only.',
            "",
            "| recipe | bytes | gzip bytes | top-1 | accuracy drop, points | latency ratio | seconds |",
            "|---|---|---|---|---|---|---|",
            *(row(name, *found) for name, found in reports.items()),
            "",
            f"The latency ratio is relative to the float32 file: {first.latency.source}. Pruned weights "
            f"are "
            "stored as zeros, so the file does not shrink. The gzip size shows what a download saves.",
        ],
    )


if __name__ == "__main__":
    main()
