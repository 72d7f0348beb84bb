"""Rules that give single layers a precision, such as ``conv_.*=int4``."""

from __future__ import annotations

import re

from tflite_compress.conversion import LAYER_TYPES, LayerType
from tflite_compress.conversion.per_layer import PlainLayer
from tflite_compress.support.errors import ConfigError


def layer_types(rules: tuple[str, ...], layers: tuple[PlainLayer, ...]) -> dict[str, LayerType]:
    """Return the precision of each layer that matches a rule. Later rules take precedence.

    Args:
        rules: Rules of the form ``REGEX=TYPE``, for example ``conv_.*=int4``.
        layers: The layers of the model.

    Raises:
        ConfigError: A rule does not have that form, or matches no layer.
    """
    found: dict[str, LayerType] = {}
    for rule in _separate(rules):
        pattern, equals, kind = rule.rpartition("=")
        wanted = next((t for t in LAYER_TYPES if t == kind.strip()), None)
        if not equals or wanted is None:
            raise ConfigError(
                f"layers: '{rule}' is not REGEX=TYPE",
                f"For example layers = ['conv_1=int16x8']; types: {', '.join(LAYER_TYPES)}.",
            )
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"layers: '{pattern}' is not a regular expression ({error.msg})") from error
        names = [layer.name for layer in layers if layer.matches(expression)]
        if not names:
            known = ", ".join(layer.name for layer in layers if layer.weights)
            raise ConfigError(f"layers: no layer is called like '{pattern}'", f"There are {known}.")
        found |= dict.fromkeys(names, wanted)
    return found


def _separate(rules: tuple[str, ...]) -> list[str]:
    """Return single rules. One text from a command line may have several rules, separated by commas."""
    ends = "|".join(LAYER_TYPES)
    return [part for rule in rules for part in re.sub(f"=({ends}),", r"=\1\n", rule).split("\n")]
