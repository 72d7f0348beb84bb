"""Packages that ``tflite-compress`` installs and ``tflite-compress-core`` leaves out."""

from __future__ import annotations

import importlib.util
import sys

from tflite_compress.support.errors import MissingPackageError

_ONLY_IN_FULL = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "tf_keras": "tf-keras",
    "tensorflow_model_optimization": "tensorflow-model-optimization",
    "litert_quantizer": "litert-quantizer",
    "h5py": "h5py",
    "optuna": "optuna",
    "tomli_w": "tomli-w",
}
_EXTRAS = {"tables": ("pandas", "pyarrow"), "audio": ("soundfile", "soxr")}  # packages by extra
_ALONE = {"matplotlib": "matplotlib"}  # needed by itself, for plots


def require_packages() -> None:
    """Check that the packages of the full tool are installed, without importing them.

    Raises:
        MissingPackageError: Only the core is installed.
    """
    for module in _ONLY_IN_FULL:
        if module not in sys.modules and importlib.util.find_spec(module) is None:
            error = missing_package(ImportError(name=module))
            assert error is not None
            raise error


def require_extra(extra: str, needed_by: str) -> None:
    """Check that the packages of an extra are installed, without importing them.

    Args:
        extra: Name of the extra.
        needed_by: What needs it, for the message.

    Raises:
        MissingPackageError: One is not installed.
    """
    for module in _EXTRAS[extra]:
        if importlib.util.find_spec(module) is None:
            raise MissingPackageError(
                f"{needed_by}: needs the package {module}, which is not installed",
                f"Install it: pip install 'tflite-compress[{extra}]'",
            )


def missing_package(error: ImportError) -> MissingPackageError | None:
    """Return what to install where an import failed; None for a module this tool does not need.

    Args:
        error: What the import raised.
    """
    module = (error.name or "").partition(".")[0]
    if module in _ALONE:
        return MissingPackageError(
            f"plots need the package {_ALONE[module]}, which is not installed",
            f"Install it: pip install {_ALONE[module]}",
        )
    if module in _ONLY_IN_FULL:
        return MissingPackageError(
            f"this needs the package {_ONLY_IN_FULL[module]}, which tflite-compress-core does not install",
            "Install the full tool: pip install tflite-compress",
        )
    return None
