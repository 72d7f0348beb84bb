"""The one place that imports TensorFlow: late, once, and without its log noise."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import TextIO

from tflite_compress.support.packages import missing_package
from tflite_compress.support.process_settings import fast_imports, ignore_warnings, quieten

_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "KERAS_BACKEND": "tensorflow",
}


def tensorflow() -> ModuleType:
    """Import TensorFlow quietly (3 to 7 s the first time) and return the module.

    oneDNN's custom operations stay on; they give the same result from run to run on one machine,
    which is what the manifest promises.

    Raises:
        MissingPackageError: Only the core is installed.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    ignore_warnings(module=r"(tensorflow|tf_keras|keras|tensorflow_model_opt).*")
    ignore_warnings(message=r".*(In the future `np\.|HDF5 file|statistics).*")
    try:
        quiet = contextlib.nullcontext() if "tensorflow" in sys.modules else native_noise_captured()
        with quiet, fast_imports("tensorflow"):
            import tensorflow as tf
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
    quieten("tensorflow")
    quieten("absl")
    module: ModuleType = tf
    return module


def tf_keras() -> ModuleType:
    """Import Keras 2 (``tf_keras``), the Keras that TF-MOT works on."""
    tensorflow()
    with fast_imports("tf_keras"):
        import tf_keras as keras2

    module: ModuleType = keras2
    return module


def keras3() -> ModuleType:
    """Import Keras 3.

    Raises:
        RuntimeError: Keras 3 was set up for another backend than TensorFlow before us.
    """
    tensorflow()
    with fast_imports("keras"):
        import keras

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"Keras runs on the {keras.backend.backend()} backend; set KERAS_BACKEND=tensorflow"
        )
    module: ModuleType = keras
    return module


def tfmot() -> ModuleType:
    """Import TF-MOT, the TensorFlow Model Optimization toolkit."""
    tf = tensorflow()
    # TF-MOT selects Keras 2 for ``tf.keras``, unless ``tf.keras`` was used before: the user's stays as it is.
    getattr(tf.keras, "version", None)
    with fast_imports("tensorflow_model_optimization"):
        import tensorflow_model_optimization as toolkit

    module: ModuleType = toolkit
    return module


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, and ask TensorFlow for deterministic kernels."""
    import numpy as np

    tf = tensorflow()
    random.seed(seed)
    np.random.seed(seed)
    tf.random.set_seed(seed)
    tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def native_noise_captured() -> Iterator[TextIO]:
    """Send what native code writes to file descriptor 2 into a temporary log.

    The TFLite converter and the interpreters log to the descriptor itself, past Python. Python's
    own ``sys.stderr`` keeps reaching the terminal.

    Yields:
        The log, open for reading and writing.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    terminal = os.fdopen(os.dup(saved), "w", buffering=1, encoding="utf-8", errors="replace")
    before = sys.stderr
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        os.dup2(log.fileno(), 2)
        if _writes_to_descriptor_2(before):
            sys.stderr = terminal
        try:
            yield log
        finally:
            sys.stderr = before
            os.dup2(saved, 2)
            os.close(saved)
            terminal.close()


def _writes_to_descriptor_2(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 2
    except (OSError, ValueError, AttributeError):
        return False
