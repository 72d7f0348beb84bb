from __future__ import annotations

import pytest

from tflite_compress.support.quantities import (
    format_bytes,
    format_ms,
    format_number,
    format_seconds,
    format_value,
    limit_in_kilobytes,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (938, "938 bytes"),
        (1024, "1 KB"),
        (70_288, "68.6 KB"),
        (1_047_000, "1,022 KB"),
        (1_048_576, "1 MB"),
        (43_614_208, "41.6 MB"),
        (4 * 1024**3, "4 GB"),
    ],
)
def test_bytes_have_three_digits_and_a_binary_unit(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.012345, "0.0123"),
        (52.68, "52.7"),
        (99.99, "100"),
        (402_352, "402,000"),
        (-3.142, "-3.14"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert format_number(value) == text


def test_times_and_other_units() -> None:
    assert format_ms(0.00738) == "7.38 µs" and format_ms(52.68) == "52.7 ms" and format_ms(12_345) == "12.3 s"
    assert format_value(2048, "bytes") == "2 KB" and format_value(0.5, "ms") == "0.5 ms"
    assert format_value(1234.5, "cycles") == "1,230 cycles"


def test_a_limit_is_never_below_the_size() -> None:
    assert limit_in_kilobytes(89_168) == "88KB" and limit_in_kilobytes(88 * 1024) == "88KB"


def test_durations() -> None:
    times = [format_seconds(s) for s in (0.42, 9.96, 52.4, 59.7, 442.3, 7500)]
    assert times == ["0.4 s", "10.0 s", "52 s", "1 min 0 s", "7 min 22 s", "2 h 5 min"]
