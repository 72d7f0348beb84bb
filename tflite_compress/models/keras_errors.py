"""What exceptions of Keras say, and the errors of this tool for them."""

from __future__ import annotations

import re
from pathlib import Path

from tflite_compress.support.errors import ModelError

_ESCAPE = re.compile(r"\x1b\[\d+m")
_REBUILDING = re.compile(
    r"(?:Error when deserializing class '(?P<old>\w+)'|<class '[\w.]*?(?P<new>\w+)'> could not be deser)"
    r".*?'name': '(?P<name>[^']+)'.*?Exception encountered: (?P<reason>.*)",
    re.S,
)
_MAX_REASON = 240
_UNKNOWN = re.compile(r"(?:Unknown [\w ]{1,30}:? |Could not locate (?:class|function) )'(?P<name>[\w.>]+)'")


def cause_line(error: Exception) -> str:
    """Return the first line of an error that states a cause; Keras first names the layer it was called in."""
    text = _ESCAPE.sub("", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("Exception encountered when calling")]
    return (telling or lines or [type(error).__name__])[0][:200]


def layer_not_rebuilt(error: Exception) -> str | None:
    """Return which layer Keras could not make from its configuration, and why; None for other errors."""
    found = _REBUILDING.search(_ESCAPE.sub("", str(error)))
    if found is None:
        return None
    inner = layer_not_rebuilt(Exception(found["reason"]))  # a wrapper states the error of the layer in it
    reason = " ".join(found["reason"].split())[:160]
    return inner or f"layer '{found['name']}' ({found['old'] or found['new']}): {reason}"


def load_error(path: Path, error: Exception) -> ModelError:
    """Return the error for an exception that Keras or TensorFlow raised when it loaded a model.

    Args:
        path: The model, as the user named it.
        error: The exception.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    unknown = _UNKNOWN.search(text)
    if unknown is not None:
        name = unknown["name"].rpartition(">")[2]
        return ModelError(
            f"{path}: '{name}' is a custom class or function, which Keras does not have",
            f"Pass --custom-objects=module:dict, where the dict maps '{name}' to it.",
        )
    if (layer := layer_not_rebuilt(error)) is not None:
        return ModelError(
            f"{path}: Keras cannot rebuild {layer}",
            "In the program that made the model, save it again with model.save('model.keras').",
        )
    if len(text) > _MAX_REASON:
        text = text[:_MAX_REASON].rpartition(" ")[0] + " ..."
    step = "The file may be damaged or from another Keras; save the model again."
    return ModelError(f"{path}: cannot be loaded: {text}", step)


def with_versions(error: ModelError, saved: str, installed: str) -> ModelError:
    """Return the error with the versions of Keras that saved and loaded a file; the hint fits them.

    Args:
        error: Why the file cannot be loaded.
        saved: Version of Keras that saved it.
        installed: Version of Keras that loaded it.
    """
    message = f"{error.message} (saved by Keras {saved}, loaded by Keras {installed})"
    if _numbers(saved) <= _numbers(installed):
        return ModelError(message, error.hint)
    return ModelError(message, f"Save the model again with Keras {installed} or older.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
