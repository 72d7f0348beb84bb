"""The page of ``benchmark``: times with their intervals, comparisons and throughput."""

from __future__ import annotations

from tflite_compress.reporting.facts_page import FactsPage, Lines, Table, shares_of_largest
from tflite_compress.reporting.timing_table import sentence
from tflite_compress.support.quantities import format_bytes, format_ms, format_number
from tflite_compress.timing.benchmark import Benchmark, describe_contender
from tflite_compress.timing.interleaved import Timing
from tflite_compress.timing.stats import Interval


def benchmark_page(found: Benchmark) -> FactsPage:
    """Show what was measured, where, and how files compare."""
    names = dict.fromkeys([t.contender.name for t in found.timings] + [t.name for t in found.on_device])
    return FactsPage(
        f"Latency of {len(names)} file{'s' if len(names) != 1 else ''}",
        f"Measured on {found.where}.",
        (
            _times(found.timings),
            _device_times(found),
            Lines("Comparisons", tuple(map(sentence, found.comparisons))),
            _throughput(found),
            Lines("Not timed", tuple(f"{refused.name}: {refused.reason}" for refused in found.refused)),
            Lines("Notes", tuple(note.text for note in found.notes)),
        ),
    )


def _times(timings: tuple[Timing, ...]) -> Table:
    heads = (
        "file and settings",
        "size",
        "median",
        "95 % interval",
        "p90",
        "p99",
        "load",
        "first run",
        "memory",
    )
    rows = tuple(
        (
            describe_contender(timing.contender),
            format_bytes(len(timing.contender.content)),
            format_ms(timing.summary.median_ms.value),
            _interval(timing.summary.median_ms),
            format_ms(timing.summary.p90_ms),
            format_ms(timing.summary.p99_ms),
            format_ms(timing.loaded.load_ms),
            format_ms(timing.loaded.first_ms),
            format_bytes(timing.loaded.peak_bytes) if timing.loaded.peak_bytes else "",
        )
        for timing in timings
    )
    bars = shares_of_largest([timing.summary.median_ms.value for timing in timings])
    return Table("Latency", heads, rows, frozenset(range(1, 9)), bars)


def _device_times(found: Benchmark) -> Table:
    rows = tuple((t.name, format_ms(t.median_ms.value), _interval(t.median_ms)) for t in found.on_device)
    bars = shares_of_largest([t.median_ms.value for t in found.on_device])
    return Table("Latency on the device", ("file", "median", "of turns"), rows, frozenset({1, 2}), bars)


def _throughput(found: Benchmark) -> Table:
    rows = tuple(
        (
            describe_contender(t.contender),
            str(t.batch),
            "" if t.samples_per_s is None else format_number(t.samples_per_s),
            format_bytes(t.peak_bytes) if t.peak_bytes else "",
            t.refusal or "",
        )
        for t in found.throughputs
    )
    heads = ("file and settings", "batch", "samples/s", "peak memory", "not run because")
    return Table("Throughput", heads, rows, frozenset({1, 2, 3}))


def _interval(found: Interval) -> str:
    return f"{format_ms(found.low)} to {format_ms(found.high)}"
