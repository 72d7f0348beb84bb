"""Times of single operators, on the terminal and as plain data."""

from __future__ import annotations

from dataclasses import asdict

from tflite_compress.reporting.timing_table import number
from tflite_compress.support.notes import note_record
from tflite_compress.support.terminal import console, grid
from tflite_compress.timing.profile import OperatorTime, Profile

SCHEMA = 1


def print_profile(found: Profile) -> None:
    """One operator a row, in order of execution."""
    out = console()
    threads = f"{found.threads} thread{'s' * (found.threads > 1)}"
    out.print(f"{found.name}: {number(found.total_ms * 1e3)} us, {found.kernels}, {threads}", markup=False)
    out.print(f"measured on {found.where} by {found.method}", markup=False)
    headings = ("layer", "operator", "us", "share", "MACs", "bytes", "GMAC/s", "of the best", "limit")
    for note in found.notes:
        out.print(f"note: {note.text}", markup=False)
    table = grid(*headings, right=(2, 3, 4, 5, 6, 7))
    for row in found.rows:
        table.add_row(*_cells(row, found.total_ms))
    out.print(table)
    best = found.roofline
    peaks = [f"{speed:,.1f} GMAC/s in {type_}" for type_, speed in best.gmacs_per_s.items()]
    out.print(
        f"this machine at best: {', '.join([*peaks, f'{best.gbytes_per_s:,.1f} GB/s'])} (measured: a 1x1 "
        "convolution with the same kernels and threads; a copy in memory). Above 100 %: data from caches.",
        markup=False,
    )


def _cells(row: OperatorTime, total_ms: float) -> list[str]:
    time = number(row.ms * 1e3) if row.is_above_noise else "below noise"
    share = f"{max(0.0, row.ms) / total_ms:.1%}" if row.is_above_noise else ""
    speed = f"{row.gmacs_per_s:,.2f}" if row.gmacs_per_s else ""
    reached = f"{row.gmacs_per_s / row.attainable:.0%}" if row.gmacs_per_s and row.attainable else ""
    macs = "?" if row.macs is None else f"{row.macs:,}" if row.macs else ""
    limit = row.bound or "" if reached else ""
    return [row.layer, row.kinds, time, share, macs, f"{row.moved_bytes:,}", speed, reached, limit]


def profile_record(found: Profile) -> dict[str, object]:
    """Everything as plain data."""
    notes = [note_record(note) for note in found.notes]
    return {"schema": SCHEMA, "kind": "measured", **asdict(found), "notes": notes}
