"""The passes a recipe can name. A new technique is a new module and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tflite_compress.passes import convert, prune, slim
from tflite_compress.passes.base import Context, Model, PassConfig
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.slim import Slim

AnyPass = Prune | Convert | Slim

_APPLY: dict[type[PassConfig], Callable[[Any, Model, Context], Model]] = {
    Prune: prune.apply,
    Convert: convert.apply,
    Slim: slim.apply,
}


__all__ = [
    "AnyPass",
    "Context",
    "Convert",
    "Model",
    "PassConfig",
    "Prune",
    "Slim",
    "apply_pass",
    "needs_training",
    "pass_name",
]


def apply_pass(config: PassConfig, model: Model, context: Context) -> Model:
    """Run one pass.

    Args:
        config: Its settings, which also say which pass it is.
        model: What the pass before gave.
        context: Data, teacher, seed and progress.

    Returns:
        The next model; ``model`` stays as it was.
    """
    return _APPLY[type(config)](config, model, context)


def pass_name(config: PassConfig) -> str:
    """The name of a pass in recipes."""
    return str(type(config).__struct_config__.tag)


def needs_training(config: PassConfig) -> bool:
    """True for passes that change the float network."""
    return isinstance(config, Prune)
