from __future__ import annotations

from tflite_compress.reporting.results_table import size


def test_sizes_in_words() -> None:
    assert [size(n) for n in (100, 2048, 5_767_168, 4 * 1024**3)] == ["100 bytes", "2 KB", "5.5 MB", "4 GB"]
