"""Load a forest from a file or a model object.

Opening a pickle or joblib file runs the code in it, so these files need the user's trust. A skops file lists
its types before any object is created; only scikit-learn's types and arrays are accepted.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tflite_compress.models.read_model import is_architecture
from tflite_compress.models.safety import KERAS_SUFFIXES, PICKLE_HEADS
from tflite_compress.support.errors import ModelError, UsageError
from tflite_compress.support.notes import Note
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.from_lightgbm import read_lightgbm
from tflite_compress.trees.from_sklearn import make_predictor, read_estimator
from tflite_compress.trees.from_xgboost import XGBoostFile, read_xgboost

Predict = Callable[[np.ndarray], np.ndarray]

_LIBRARIES = ("sklearn", "xgboost", "lightgbm")
_SUFFIXES = (".joblib", ".pkl", ".pickle", ".skops", ".ubj")
_MAX_TEXT_BYTES = 1 << 30
_SKOPS_TYPES = frozenset(  # types of supported estimators that skops does not know; both hold only arrays
    {"sklearn.tree._tree.Tree", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"}
)


def is_forest(model: object) -> bool:
    """Return True if this module can load a model: by content of a file, by library of an object.

    Args:
        model: A path or a model object.
    """
    if not isinstance(model, str | os.PathLike):
        return _library(model) in _LIBRARIES
    path = Path(model)
    return _format_of(path) is not None if path.is_file() else path.suffix in _SUFFIXES


def require_network(model: object, command: str) -> None:
    """Refuse a forest for a command that needs a neural network.

    Args:
        model: A path or a model object.
        command: The command, for the error message.

    Raises:
        UsageError: The model is a forest.
    """
    if is_forest(model):
        raise UsageError(
            f"{model}: decision trees; '{command}' is for neural networks",
            "Give them to 'tflite-compress compress'; other commands accept the .tflite file it writes.",
        )


def load_forest(model: object, trust: bool) -> tuple[Forest, Predict | None, str]:
    """Load a forest.

    Args:
        model: A path, or a model object of scikit-learn, XGBoost or LightGBM.
        trust: Open pickle and joblib files, and skops files with types of other libraries.

    Returns:
        The forest; its library's prediction function, or None if the library is not installed; the format.

    Raises:
        ModelError: The file is missing, damaged, not trusted, or not a supported forest.
    """
    if not isinstance(model, str | os.PathLike):
        return (*_of_object(model, f"<{type(model).__name__} object>"), "object")
    path = Path(model)
    if not path.is_file():
        raise ModelError(f"{path}: no such file", "Check the path of the model.")
    kind = _format_of(path) or "pickle"
    if kind == "xgboost":
        return _from_xgboost(path)
    if kind == "lightgbm":
        return _from_lightgbm(path)
    read = _from_skops if kind == "skops" else _from_pickle
    return (*_of_object(read(path, trust), str(path)), kind)


def _library(model: object) -> str:
    return type(model).__module__.partition(".")[0]


def _format_of(path: Path) -> str | None:
    """Return the format of a forest by the file's first bytes, or None for other files."""
    with path.open("rb") as stream:
        head = stream.read(64)
    if head.startswith(b"PK"):
        return "skops" if _is_skops(path) else None
    if head.lstrip().startswith(b"{"):
        return None if is_architecture(path) else "xgboost"
    if head.startswith(b"tree\n"):
        return "lightgbm"
    is_pickle = head.startswith(PICKLE_HEADS) and path.suffix not in KERAS_SUFFIXES
    return "pickle" if is_pickle else None


def _is_skops(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "schema.json" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return path.suffix == ".skops"


def _of_object(model: Any, origin: str) -> tuple[Forest, Predict]:
    """Read a model object of any supported library."""
    library = _library(model)
    if library == "xgboost":
        booster = model if type(model).__name__ == "Booster" else model.get_booster()
        return _with_labels(
            read_xgboost(_parsed(booster.save_raw("json"), origin), origin), model
        ), _of_booster(booster)
    if library == "lightgbm":
        booster = model if type(model).__name__ == "Booster" else model.booster_
        return _with_labels(read_lightgbm(booster.model_to_string(), origin), model), booster.predict
    if library != "sklearn":
        raise ModelError(
            f"{origin}: holds a {type(model).__name__}, not a model with trees",
            "Save the fitted estimator itself.",
        )
    return read_estimator(model, origin), make_predictor(model)


def _with_labels(forest: Forest, model: object) -> Forest:
    """Return the forest with the class labels of a wrapper in scikit-learn's style."""
    classes = tuple(np.asarray(getattr(model, "classes_", ())).tolist())
    return (
        replace(forest, classes=classes) if forest.classes and len(classes) == len(forest.classes) else forest
    )


def _required(module: str, extra: str, path: Path) -> Any:
    """Import a library that reads a file.

    Raises:
        ModelError: The library is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ModelError(
            f"{path}: needs {module.partition('.')[0]}, which is not installed ({error})",
            f"pip install 'tflite-compress[{extra}]'",
        ) from error


def _from_skops(path: Path, trust: bool) -> object:
    skops = _required("skops.io", "trees", path)
    try:
        unknown = skops.get_untrusted_types(file=path)
        foreign = sorted(name for name in unknown if name not in _SKOPS_TYPES)
        if foreign and not trust:
            raise ModelError(
                f"{path}: holds types that may run code: {', '.join(foreign[:3])}",
                "If you trust its source, pass --trust-model.",
            )
        estimator: object = skops.load(path, trusted=unknown)
        return estimator
    except ModelError:
        raise
    except Exception as error:
        raise _unreadable(
            path, error, "Save it again with skops.io.dump(estimator, 'model.skops')."
        ) from error


def _from_pickle(path: Path, trust: bool) -> object:
    if not trust:
        raise ModelError(
            f"{path}: opening a pickle or joblib file runs the code in it",
            "If you made it, pass --trust-model; or save it with skops.io.dump(estimator, 'model.skops').",
        )
    joblib = _required("joblib", "trees", path)
    try:
        model: object = joblib.load(path)
        return model
    except (ImportError, AttributeError) as error:
        raise _unreadable(
            path, error, "Install the library it was saved with, in the same version."
        ) from error
    except (pickle.UnpicklingError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise _unreadable(path, error, "Save the model again.") from error


def _unreadable(path: Path, error: Exception, step: str) -> ModelError:
    text = " ".join(str(error).split())[:200]
    return ModelError(f"{path}: cannot be loaded: {type(error).__name__}: {text}", step)


def _text(path: Path) -> str:
    if path.stat().st_size > _MAX_TEXT_BYTES:
        raise ModelError(f"{path}: over 1 GB of text", "Train fewer or shallower trees.")
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise ModelError(f"{path}: cannot be read as text ({error})", "Save the model again.") from error


def _parsed(text: str | bytes | bytearray, origin: str) -> XGBoostFile:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{origin}: damaged or cut off ({error})", "Save the model again.") from error
    if not isinstance(found, dict) or "learner" not in found:
        raise ModelError(
            f"{origin}: JSON, but not an XGBoost model", "Save it with model.save_model('model.json')."
        )
    return found


def _from_xgboost(path: Path) -> tuple[Forest, Predict | None, str]:
    forest = read_xgboost(_parsed(_text(path), str(path)), str(path))
    if importlib.util.find_spec("xgboost") is None:
        return _unchecked(forest, "xgboost"), None, "xgboost"
    xgboost = importlib.import_module("xgboost")
    return forest, _of_booster(xgboost.Booster(model_file=str(path))), "xgboost"


def _unchecked(forest: Forest, library: str) -> Forest:
    """Return the forest with a note that its predictions were not compared with its library."""
    text = (
        f"predictions were not compared with those of {library}, which is not installed: "
        f"pip install 'tflite-compress[{library}]'"
    )
    return replace(forest, notes=(*forest.notes, Note("library-not-installed", text)))


def _of_booster(booster: Any) -> Predict:
    """Return XGBoost's prediction function, limited to the best iteration as in its wrapper."""
    xgboost = importlib.import_module("xgboost")
    best = booster.attr("best_iteration")
    rounds = (0, int(best) + 1) if best is not None else (0, 0)

    def predict(x: np.ndarray) -> np.ndarray:
        return np.asarray(booster.predict(xgboost.DMatrix(x), iteration_range=rounds))

    return predict


def _from_lightgbm(path: Path) -> tuple[Forest, Predict | None, str]:
    text = _text(path)
    forest = read_lightgbm(text, str(path))
    if importlib.util.find_spec("lightgbm") is None:
        return _unchecked(forest, "lightgbm"), None, "lightgbm"
    booster: Any = importlib.import_module("lightgbm").Booster(model_str=text)
    return forest, booster.predict, "lightgbm"
