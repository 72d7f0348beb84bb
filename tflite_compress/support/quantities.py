"""Write figures for people: three significant digits, with a unit that keeps them short."""

from __future__ import annotations

import math

UNITS = (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024))


def format_number(value: float) -> str:
    """Return a number with three significant digits: ``0.0123``, ``52.7``, ``1,240``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    rounded = round(value, 2 - math.floor(math.log10(abs(value))))
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.3g}"


def format_bytes(count: float) -> str:
    """Return bytes in the largest binary unit that leaves at least 1: ``938 bytes``, ``68.6 KB``."""
    for unit, factor in UNITS:
        if round(count) >= factor:
            return f"{_digits(count / factor)} {unit}"
    return f"{count:,.0f} byte{'' if round(count) == 1 else 's'}"


def format_share(share: float) -> str:
    """Return a share in %, with three significant digits: ``97.1 %``."""
    return f"{format_number(100 * share)} %"


def format_byte_change(before: float, after: float) -> str:
    """Return the difference of two sizes with its sign: ``-90.4 KB``; nothing where they are equal."""
    if before == after:
        return ""
    return f"{'+' if after > before else '-'}{format_bytes(abs(after - before))}"


def format_ms(ms: float) -> str:
    """Return a time in the unit that suits it: ``7.38 µs``, ``52.7 ms``, ``3.2 s``."""
    if ms != 0 and abs(ms) < 0.1:
        return f"{format_number(ms * 1e3)} µs"
    return f"{format_number(ms)} ms" if abs(ms) < 10_000 else f"{format_number(ms / 1e3)} s"


def format_seconds(seconds: float) -> str:
    """Return a duration: ``0.4 s``, ``52 s``, ``7 min 22 s``, ``2 h 5 min``."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def format_value(value: float, unit: str) -> str:
    """Return a figure with its unit; bytes and times take the unit that suits them."""
    if unit == "bytes":
        return format_bytes(value)
    if unit == "ms":
        return format_ms(value)
    return f"{format_number(value)} {unit}".rstrip()


def limit_in_kilobytes(count: float) -> str:
    """Return the least whole number of kilobytes that holds a size, as an option takes it: ``88KB``."""
    return f"{math.ceil(count / 1024)}KB"


def _digits(value: float) -> str:
    """Three significant digits; whole numbers above, up to the 1,023 of a binary unit."""
    return f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"
