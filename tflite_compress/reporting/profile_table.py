"""Times of single operators, on the terminal and as plain data."""

from __future__ import annotations

from dataclasses import asdict

from tflite_compress.support.notes import note_record
from tflite_compress.support.quantities import format_bytes, format_ms, format_number, format_share
from tflite_compress.support.terminal import console, grid
from tflite_compress.timing.operator_time import OperatorTime
from tflite_compress.timing.profile import Profile

SCHEMA = 1


def print_profile(found: Profile) -> None:
    """One operator a row, in order of execution."""
    out = console()
    threads = f"{found.threads} thread{'s' * (found.threads > 1)}"
    out.print(f"{found.name}: {format_ms(found.total_ms)}, {found.kernels}, {threads}", markup=False)
    out.print(f"measured on {found.where} by {found.method}", markup=False)
    headings = ("layer", "operator", "time", "share", "MACs", "data moved", "GMAC/s", "of the best", "limit")
    for note in found.notes:
        out.print(f"note: {note.text}", markup=False)
    table = grid(*headings, right=(2, 3, 4, 5, 6, 7))
    for row in found.rows:
        table.add_row(*_cells(row, found.total_ms))
    out.print(table)
    best = found.roofline
    if best is None:
        return
    peaks = [f"{format_number(speed)} GMAC/s in {type_}" for type_, speed in best.gmacs_per_s.items()]
    out.print(
        f"this machine at best: {', '.join([*peaks, f'{format_number(best.gbytes_per_s)} GB/s'])} (measured: "
        "a 1x1 convolution with the same kernels and threads; a copy in memory). Above 100 %: data from "
        "caches.",
        markup=False,
    )


def _cells(row: OperatorTime, total_ms: float) -> list[str]:
    time = format_ms(row.ms) if row.is_above_noise else "below noise"
    share = format_share(max(0.0, row.ms) / total_ms) if row.is_above_noise else ""
    speed = format_number(row.gmacs_per_s) if row.gmacs_per_s else ""
    reached = format_share(row.gmacs_per_s / row.attainable) if row.gmacs_per_s and row.attainable else ""
    macs = "?" if row.macs is None else format_number(row.macs) if row.macs else ""
    limit = row.bound or "" if reached else ""
    return [row.layer, row.kinds, time, share, macs, format_bytes(row.moved_bytes), speed, reached, limit]


def profile_record(found: Profile) -> dict[str, object]:
    """Everything as plain data."""
    notes = [note_record(note) for note in found.notes]
    return {"schema": SCHEMA, "kind": "measured", **asdict(found), "notes": notes}
