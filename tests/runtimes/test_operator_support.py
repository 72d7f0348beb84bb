"""Runtimes are asked which operators they have."""

from __future__ import annotations

import numpy as np

from tests.custom import micro_custom_operators, window_file
from tflite_compress.runtimes.operator_support import litert_lacks, micro_has
from tflite_compress.runtimes.tflm_runtime import micro_runtime
from tflite_compress.tflite.flatbuffer import builtin_names


def test_tflite_micro_is_asked_for_every_builtin_operator() -> None:
    """Asking does not run a kernel, so no operator crashes this process."""
    found = {name for name in builtin_names() if micro_has(name)}
    assert len(builtin_names()) > 200 and 90 < len(found) < len(builtin_names())
    assert {"CONV_2D", "SVDF", "VAR_HANDLE", "WHILE", "CALL_ONCE"} <= found
    assert not {"GELU", "CONV_3D", "TOPK_V2"} & found


def test_tflite_micros_custom_operators() -> None:
    found = micro_custom_operators()
    assert {"SignalWindow", "SignalRfft", "SignalFilterBankLog", "TFLM_DECODE", "CIRCULAR_BUFFER"} <= set(
        found
    )
    assert not micro_has("ethos-u") and not micro_has("edgetpu-custom-op") and not micro_has("FlexErf")


def test_an_operator_that_tflite_micro_says_it_has_runs() -> None:
    sound = np.full((2, 1, 16), 1000, np.int16)
    outputs = micro_runtime(window_file(), (sound,)).outputs
    assert outputs is not None
    expected = (1000 * np.arange(16) * 256) >> 12
    assert np.array_equal(outputs[0], np.broadcast_to(expected, (2, 1, 16)))


def test_litert_lacks_custom_operators_only() -> None:
    names = [
        "CONV_2D",
        "TFLite_Detection_PostProcess",
        "SignalWindow",
        "FlexErf",
        "edgetpu-custom-op",
        "STABLEHLO_ADD",
    ]
    assert litert_lacks(names) == ("SignalWindow", "FlexErf", "edgetpu-custom-op")
