"""Keep the state of the process that a library call would change."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator

from tflite_compress.support.process_settings import process_settings_kept


@contextlib.contextmanager
def process_state_kept() -> Iterator[None]:
    """Restore random states, TensorFlow's determinism setting and the settings of imports at the end.

    Passes seed Python, NumPy and TensorFlow so that results repeat. The caller's own random numbers continue
    as if the call had not been made. See :func:`process_settings_kept` for environment, warnings and logs.
    """
    import numpy as np

    python_state, numpy_state = random.getstate(), np.random.get_state()
    tensorflow_state = _tensorflow_state()
    with process_settings_kept():
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            _restore_tensorflow(tensorflow_state)


def _tensorflow_state() -> tuple[object, object, bool] | None:
    """Return TensorFlow's seed, generator state and determinism setting; None if it is not imported."""
    if "tensorflow" not in sys.modules:
        return None
    from tensorflow.python.eager import context
    from tensorflow.python.framework import config

    state = context.context()
    generator = getattr(state, "_rng", None)  # made when a seed is set first
    return (
        state._seed,
        None if generator is None else generator.getstate(),
        config.is_op_determinism_enabled(),
    )


def _restore_tensorflow(before: tuple[object, object, bool] | None) -> None:
    if "tensorflow" not in sys.modules:
        return
    from tensorflow.python.eager import context
    from tensorflow.python.framework import config

    seed, generator, is_deterministic = before or (None, None, False)
    state = context.context()
    state._set_global_seed(seed)
    if generator is not None:
        state._rng.setstate(generator)
    if not is_deterministic:
        config.disable_op_determinism()
