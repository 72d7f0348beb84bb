"""The machine's peak rates are measured once for all profiles."""

from __future__ import annotations

from functools import cache

import pytest

from tflite_compress.timing.interleaved import Kernels
from tflite_compress.timing.roofline import Roofline, measure_roofline


@cache
def measured_once(types: frozenset[str], kernels: Kernels, threads: int) -> Roofline:
    return measure_roofline(set(types), kernels, threads)


@pytest.fixture(autouse=True)
def peaks_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(types: set[str], kernels: Kernels, threads: int) -> Roofline:
        return measured_once(frozenset(types & {"FLOAT32", "INT8"}), kernels, threads)

    monkeypatch.setattr("tflite_compress.timing.profile.measure_roofline", measure)
