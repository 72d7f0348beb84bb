"""What LiteRT's GPU accelerator takes of real networks, against its documentation and against phones.

    python benchmarks/gpu.py CACHE [networks|statements|times|made ...]

``CACHE`` is the folder of ``benchmarks/tested_models.py``; the float16 files that it made of Keras models are
used too. Needs ``tflite-compress setup-gpu``. Writes four sections of docs/results.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gpu_made import tables_of_made
from gpu_statements import compare_statements
from results import write_section
from tested_catalogue import read_catalogue
from tested_files import folder_of, provide

from tflite_compress.data.opened_file import OpenedFile, open_file
from tflite_compress.runtimes.gpu_errors import GpuError
from tflite_compress.runtimes.gpu_jobs import run_one_on_gpu
from tflite_compress.runtimes.gpu_plan import APART, AT_LOADING, GpuPlan, ask_accelerator
from tflite_compress.runtimes.gpu_table import look_up
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.support.errors import CompressError

# LiteRT GPU delegate documentation, ai.google.dev/edge/litert/performance/gpu: supported operations.
LISTED = frozenset(
    """ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEQUANTIZE EXP FULLY_CONNECTED LOGICAL_AND
    LOGISTIC LSTM MAX_POOL_2D MAXIMUM MEAN MINIMUM MUL PAD PRELU QUANTIZE RELU RELU6 RESHAPE RESIZE_BILINEAR
    SOFTMAX STRIDED_SLICE SUB TANH TRANSPOSE_CONV HARD_SWISH""".split()
)
SAMPLES = 2
RUNS = 5
LIMIT_S = 300.0  # lavapipe compiles the programs of a network in seconds to minutes, once


@dataclass(frozen=True)
class Row:
    """One network.

    Attributes:
        name: Its name in the catalogue.
        plan: The accelerator's answer, or why it refuses the file.
        table: How many operators the table places as the accelerator does.
        error: Largest difference of float16 from the CPU, as a share of the output's range; None if not run.
        seconds: Time to ask the accelerator.
    """

    name: str
    plan: GpuPlan | GpuError
    table: int
    error: float | None
    seconds: float


def networks(cache: Path) -> Iterator[tuple[str, OpenedFile]]:
    """Yield the networks of the catalogue that are in the cache or can be downloaded."""
    catalogue = read_catalogue()
    for model in catalogue.models:
        try:
            found: list[tuple[Path, str | None]]
            if model.is_keras:
                paths = sorted((folder_of(model, cache) / "float16").glob("*.tflite"))
                found = [(path, None) for path in paths]
            else:
                option = dict(o.removeprefix("--").split("=", 1) for o in model.options.split())
                found = [(provide(model, catalogue, cache), option.get("input-shape"))]
            for path, sizes in found:
                yield model.name, open_file(path, None, "none", sizes, SAMPLES)
        except (CompressError, OSError) as error:
            print(f"{model.name}: {error}", file=sys.stderr)


def ask(name: str, opened: OpenedFile) -> Row:
    """Ask about a network, and run it."""
    start = time.monotonic()
    try:
        plan = ask_accelerator(opened.content)
    except GpuError as error:
        return Row(name, error, 0, None, time.monotonic() - start)
    seconds = time.monotonic() - start
    pairs = zip(plan.operators, look_up(opened.content).operators, strict=True)
    table = sum(live.on_gpu == read.on_gpu for live, read in pairs if live.reason != AT_LOADING)
    return Row(name, plan, table, _error(opened), seconds)


def _error(opened: OpenedFile) -> float | None:
    inputs = opened.samples.first(SAMPLES).raw
    try:
        found = run_one_on_gpu(opened.content, inputs, limit_seconds=LIMIT_S).outputs
        expected = host_runtime(seconds=0)(opened.content, inputs).outputs
    except CompressError as error:
        print(f"  not run: {error.message}", file=sys.stderr)
        return None
    assert found is not None and expected is not None
    rows = zip(opened.signature.outputs, found, expected, strict=True)
    return max(_share(spec.to_real(a), spec.to_real(b)) for spec, a, b in rows)


def _share(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference as a share of the range."""
    real = expected.astype(np.float64)
    return float(np.abs(found - real).max() / max(1e-3, np.abs(real).max()))


def table_of_networks(rows: list[Row]) -> list[str]:
    """Return the table of networks, and the shares below it."""
    lines = [
        "| network | operators | on the GPU | parts | KB crossing | refused | list differs | float16 error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    counts: Counter[str] = Counter()
    for row in rows:
        if isinstance(row.plan, GpuError):
            reason = row.plan.message.partition(": ")[2]
            lines.append(f"| {row.name} | | the loader refuses it: {reason} | | | | | |")
            continue
        ops = [op for op in row.plan.operators if op.reason != AT_LOADING]
        on_gpu = sum(bool(op.on_gpu) for op in ops)
        refused = [op.name for op in ops if op.on_gpu is False and op.reason != APART]
        taken = [op.name for op in ops if op.on_gpu]
        wrong = sum(name in LISTED for name in refused) + sum(name not in LISTED for name in taken)
        counts.update(asked=len(refused) + len(taken), wrong=wrong, placed=row.table)
        counts.update(operators=len(ops), files=1, whole=row.plan.is_whole)
        counts.update(counted=not row.plan.is_whole and on_gpu == row.plan.on_gpu)
        names = ", ".join(f"{count} {name}" for name, count in Counter(refused).items())
        error = "" if row.error is None else f"{row.error:.2%}"
        size = row.plan.crossing_bytes / 1024
        cells = (row.name, len(ops), on_gpu, row.plan.pieces, f"{size:,.1f}", names, wrong, error)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return [*lines, "", _summary(counts, [row.seconds for row in rows])]


def _summary(counts: Counter[str], seconds: list[float]) -> str:
    c = counts
    parted = c["files"] - c["whole"]
    return (
        f"{c['whole']} of {c['files']} files run whole on the GPU. The list and the accelerator differ on "
        f"{c['wrong']:,} of {c['asked']:,} operators ({c['wrong'] / c['asked']:.0%}). The table that is "
        f"used without the accelerator places {c['placed']:,} of {c['operators']:,} operators as the "
        f"accelerator does ({c['placed'] / c['operators']:.1%}). In {c['counted']} of the {parted} files "
        "that do not run whole, the "
        "number of operators on the GPU is the one that the accelerator states. Asking took "
        f"{np.median(seconds):.1f} s (median), {max(seconds):.1f} s at most."
    )


def table_of_statements() -> list[str]:
    """Return the table of statements."""
    outcomes = compare_statements()
    counted = Counter(o.verdict for o in outcomes)
    lines = [
        f"{len(outcomes)} statements: {counted['same']} the same here, {counted['different']} different, "
        f"{counted['not testable']} not testable here.",
        "",
        "| operator | on a phone | condition | measured | here | detail |",
        "|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        s = outcome.statement
        parts = [
            None if s.type is None else s.type.lower(),
            None if s.rank is None else f"{s.rank} dimensions",
            None if s.min_rank is None else f"{s.min_rank} dimensions or more",
            None if s.constant is None else f"input {s.constant} stored",
            "all inputs stored" if s.all_constant else None,
            "no input stored" if s.no_constant else None,
            "an input without dimensions" if s.scalar else None,
            s.where,
        ]
        condition = ", ".join(part for part in parts if part)
        measured = f"{s.runtime}, {s.device}, {s.date}"
        lines.append(
            f"| {s.operator} | {s.found} | {condition} | {measured} | {outcome.verdict} | {outcome.detail} |"
        )
    return lines


def measure_times(cache: Path) -> list[str]:
    """Return how long setting up and checking take, in processes of their own."""
    (model,) = (m for m in read_catalogue().models if m.name == "MobileNetV2, Keras 3")
    file = next((folder_of(model, cache) / "float16").glob("*.tflite"))
    command = [sys.executable, "-m", "tflite_compress"]
    with tempfile.TemporaryDirectory() as folder:
        fresh = {**os.environ, "TFLITE_COMPRESS_GPU": f"{folder}/gpu"}
        setting_up = _seconds([*command, "setup-gpu"], fresh)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    checks = [
        _seconds([*command, "check", str(file), "--device=android-gpu"], os.environ) for _ in range(RUNS)
    ]
    table = {**os.environ, "TFLITE_COMPRESS_GPU": str(cache / "none")}
    reading = [_seconds([*command, "check", str(file), "--device=android-gpu"], table) for _ in range(RUNS)]
    return [
        f"`setup-gpu` took {setting_up:.1f} s and wrote {size / 2**20:,.0f} MB where the system has the "
        "libraries that lavapipe needs. `check --device=android-gpu` of MobileNetV2 took "
        f"{np.median(checks):.1f} s with the accelerator and {np.median(reading):.1f} s with the table "
        f"(median of {RUNS} runs of the whole command)."
    ]


def _seconds(command: list[str], environment: Mapping[str, str]) -> float:
    start = time.monotonic()
    subprocess.run(command, env=dict(environment), check=True, capture_output=True)
    return time.monotonic() - start


def write_networks(cache: Path) -> None:
    """Write the section on networks."""
    rows = []
    for name, opened in networks(cache):
        rows.append(ask(name, opened))
        print(name, rows[-1].seconds, file=sys.stderr)
    intro = (
        "Written by `benchmarks/gpu.py`. LiteRT's GPU accelerator on Mesa's lavapipe, in float16. \"List "
        'differs" counts operators on which the list in the documentation of the GPU delegate says '
        "otherwise. The float16 error is the largest difference from XNNPACK on 2 random samples, as a share "
        "of the output's range; it "
        f"is empty if running took more than {LIMIT_S:.0f} s."
    )
    write_section("What a phone's GPU takes of public networks", [intro, "", *table_of_networks(rows)])


def write_statements(cache: Path) -> None:
    """Write the section on statements."""
    intro = (
        "Written by `benchmarks/gpu.py`. What phones were measured to do, from "
        "github.com/john-rocky/edge-compat (`data/matrix`, Apache-2.0), and what the accelerator does on "
        "this machine with a file of that form."
    )
    write_section("Operators on phones' GPUs, and here", [intro, "", *table_of_statements()])


def write_times(cache: Path) -> None:
    """Write the section on times."""
    intro = "Written by `benchmarks/gpu.py`, on 2 cores."
    write_section("Time to set up and to ask the GPU accelerator", [intro, "", *measure_times(cache)])


def write_made(cache: Path) -> None:
    """Write the section on networks that are made here; it needs no cache."""
    intro = (
        "Written by `benchmarks/gpu.py`. Networks trained here and compressed for `android-gpu`, scored in "
        "float16 on LiteRT's GPU accelerator with lavapipe. The drop is that of the result on the GPU from "
        "the original on the same samples, with the interval of the paired comparison."
    )
    write_section("Accuracy in float16 on the GPU accelerator", [intro, "", *tables_of_made()])


PARTS = {
    "networks": write_networks,
    "statements": write_statements,
    "times": write_times,
    "made": write_made,
}

if __name__ == "__main__":
    for part in sys.argv[2:] or PARTS:
        PARTS[part](Path(sys.argv[1]))
