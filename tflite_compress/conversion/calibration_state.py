"""Let the converter calibrate every sample from a fresh state.

TensorFlow's calibrator runs all samples in one interpreter and keeps the state of LSTM between them. The
activation ranges then depend on the order of the samples.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.state import find_state


class _Calibration(Protocol):
    """TensorFlow's native calibrator."""

    Prepare: Callable[[], object]  # allocates the tensors and sets the state back

    def FeedTensor(self, *inputs: object) -> object: ...  # noqa: N802


class _Fresh:
    """A native calibrator that sets the state back before every sample.

    Args:
        calibration: The native calibrator.
    """

    def __init__(self, calibration: _Calibration) -> None:
        self._calibration = calibration

    def __getattr__(self, name: str) -> object:
        return getattr(self._calibration, name)

    def FeedTensor(self, *inputs: object) -> object:  # noqa: N802  (name used by TensorFlow)
        """Run one sample."""
        self._calibration.Prepare()
        return self._calibration.FeedTensor(*inputs)


@contextlib.contextmanager
def fresh_calibration() -> Iterator[None]:
    """Set the state back before every calibration sample of conversions in this block."""
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    original = Calibrator._feed_tensors

    def feed(self: Calibrator, samples: object, resize_input: bool) -> None:
        native = self._calibrator
        if find_state(read_tree(self._model_content)).has_variable_tensors:
            self._calibrator = _Fresh(native)
        try:
            original(self, samples, resize_input)
        finally:
            self._calibrator = native

    Calibrator._feed_tensors = feed
    try:
        yield
    finally:
        Calibrator._feed_tensors = original
