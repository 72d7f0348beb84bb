from __future__ import annotations

from tflite_compress.profiles.device_table import format_size


def test_sizes_have_the_largest_fitting_unit() -> None:
    assert [format_size(n) for n in (100, 2048, 5_767_168, 4 * 1024**3)] == [
        "100 bytes",
        "2 KB",
        "5.5 MB",
        "4 GB",
    ]
