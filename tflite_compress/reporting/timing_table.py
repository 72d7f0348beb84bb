"""Timings on the terminal and as plain data."""

from __future__ import annotations

from dataclasses import asdict

from tflite_compress.support.notes import note_record
from tflite_compress.support.quantities import format_bytes, format_number
from tflite_compress.support.terminal import Grid, console, grid
from tflite_compress.timing.benchmark import Benchmark, TimeRatio, describe_contender
from tflite_compress.timing.device_report import SCHEMA
from tflite_compress.timing.interleaved import Timing
from tflite_compress.timing.stats import Interval, describe_ratio


def print_benchmark(found: Benchmark) -> None:
    """Print timings, comparisons, throughput and notes."""
    out = console()
    out.print(f"measured on {found.where}", markup=False)
    letters = _letters(found)
    for name, letter in letters.items():
        out.print(f"{letter}: {name}", markup=False)
    if found.timings:
        out.print(_timings(found, letters))
    if found.on_device:
        table = grid("", "median, ms", "of turns", right=(1,))
        for row in found.on_device:
            low, high = row.median_ms.low, row.median_ms.high
            table.add_row(
                letters[row.name],
                format_number(row.median_ms.value),
                f"{format_number(low)} to {format_number(high)}",
            )
        out.print(table)
    for refused in found.refused:
        out.print(f"{_shortened(refused.name, letters)}: {refused.reason}", markup=False)
    for comparison in found.comparisons:
        out.print(_shortened(sentence(comparison), letters), markup=False)
    if found.throughputs:
        table = grid("", "batch", "samples/s", "peak memory", "", right=(1, 2, 3))
        for t in found.throughputs:
            rate = "-" if t.samples_per_s is None else format_number(t.samples_per_s)
            cells = (letters[t.contender.name], str(t.batch), rate, _memory(t.peak_bytes or 0))
            table.add_row(*cells, t.refusal or "")
        out.print(table)
    for note in found.notes:
        out.print(f"note: {_shortened(note.text, letters)}", markup=False)


def _timings(found: Benchmark, letters: dict[str, str]) -> Grid:
    headings = ("", "median, µs", "95 %", "p90", "p99", "mean", "load, ms", "first, µs", "memory")
    table = grid(*headings, right=(1, 2, 3, 4, 5, 6, 7, 8))
    for timing in found.timings:
        median = timing.summary.median_ms
        c, s, loaded = timing.contender, timing.summary, timing.loaded
        spread = f"{format_number(median.low * 1e3)} to {format_number(median.high * 1e3)}"
        tail = [format_number(v * 1e3) for v in (s.p90_ms, s.p99_ms, s.mean_ms.value)]
        start = [
            format_number(loaded.load_ms),
            format_number(loaded.first_ms * 1e3),
            _memory(loaded.peak_bytes),
        ]
        name = _shortened(describe_contender(c), letters)
        table.add_row(name, format_number(median.value * 1e3), spread, *tail, *start)
    return table


def _letters(found: Benchmark) -> dict[str, str]:
    """A letter for each file, so that tables stay narrow."""
    names = [t.contender.name for t in found.timings] + [t.contender.name for t in found.throughputs]
    names += [t.name for t in found.on_device]
    return {name: chr(ord("A") + i % 26) * (1 + i // 26) for i, name in enumerate(dict.fromkeys(names))}


def _shortened(line: str, letters: dict[str, str]) -> str:
    for name, letter in sorted(letters.items(), key=lambda pair: -len(pair[0])):
        line = line.replace(f"{name},", f"{letter},").replace(f"than {name}", f"than {letter}")
        line = letter + line[len(name) :] if line.startswith(name) else line
    return line


def sentence(comparison: TimeRatio) -> str:
    """A comparison as one would say it."""
    words = _times_faster(comparison.ratio)
    if comparison.what == "delegate":
        return f"{comparison.name.replace(', xnnpack', '')}: with XNNPACK {words} than without it"
    return f"{comparison.name}: {words} than {comparison.baseline}"


def _times_faster(ratio: Interval) -> str:
    """Describe a ratio of times: ``3.4x faster (3.39x to 3.45x)``, or that no difference was measured."""
    words, ends = describe_ratio(ratio), (ratio.low, ratio.value, ratio.high)
    if words == "faster":
        ends = (1 / ratio.high, 1 / ratio.value, 1 / ratio.low)
    low, value, high = (f"{end:.3g}x" for end in ends)
    if words in ("faster", "slower"):
        return f"{value} {words} ({low} to {high})"
    return f"not measurably faster or slower ({low} to {high} the time)"


def benchmark_record(found: Benchmark) -> dict[str, object]:
    """Everything as plain data, without the single runs."""
    return {
        "schema": SCHEMA,
        "kind": "measured",
        "where": found.where,
        "timings": [_timing_record(t) for t in found.timings],
        "on_device": [
            {
                "name": t.name,
                "sha256": t.sha256,
                "median_ms": asdict(t.median_ms),
                "turns": [[c.as_json() for c in a.measurements] for a in t.results],
            }
            for t in found.on_device
        ],
        "refused": [{"name": refused.name, "why": refused.reason} for refused in found.refused],
        "comparisons": [
            {
                "what": c.what,
                "name": c.name,
                "baseline": c.baseline,
                "ratio": asdict(c.ratio),
                "words": describe_ratio(c.ratio),
            }
            for c in found.comparisons
        ],
        "throughput": [
            {
                "name": describe_contender(t.contender),
                "batch": t.batch,
                "samples_per_s": t.samples_per_s,
                "peak_bytes": t.peak_bytes,
                "why_not": t.refusal,
            }
            for t in found.throughputs
        ],
        "call_overhead_ms": found.overhead_ms,
        "notes": [note_record(note) for note in found.notes],
    }


def _timing_record(timing: Timing) -> dict[str, object]:
    c = timing.contender
    return {
        "name": c.name,
        "bytes": len(c.content),
        "kernels": c.kernels,
        "threads": c.threads,
        "steady_state": asdict(timing.summary),
        **asdict(timing.loaded),
        "warm_up_runs": timing.warm_up_runs,
        "steady": timing.is_steady,
    }


def _memory(count: int) -> str:
    return format_bytes(count) if count else "-"
