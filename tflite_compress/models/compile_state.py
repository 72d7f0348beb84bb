"""The compile state of a Keras file: read for the name of the loss, never built.

Losses, metrics and optimizers may contain code, such as a Lambda. Nothing here needs them.
"""

from __future__ import annotations

import re

from tflite_compress.models.keras_types import Config

COMPILE_STATE = "compile_config"


def without_compile_state(config: Config) -> Config:
    """Return a model's configuration without losses, metrics and optimizer."""
    return {key: value for key, value in config.items() if key != COMPILE_STATE}


def compiled_loss(config: Config) -> str | None:
    """Return the snake-case name of the loss in a model's configuration; None if it has none or a Lambda."""
    state = config.get(COMPILE_STATE)
    name = _name(state.get("loss")) if isinstance(state, dict) else None
    return None if name == "<lambda>" else name


def _name(loss: object) -> str | None:
    if isinstance(loss, dict) and "class_name" not in loss:  # by output
        return _name(next(iter(loss.values()), None))
    if isinstance(loss, list):
        return _name(loss[0] if loss else None)
    if not isinstance(loss, dict):
        return loss if isinstance(loss, str) else None
    details = loss.get("config")
    if isinstance(details, str):
        return details.rpartition(">")[2] if loss["class_name"] == "function" else None
    if loss["class_name"] == "__lambda__":
        return None
    named = details.get("name") if isinstance(details, dict) else None
    return str(named or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(loss["class_name"])).lower())
