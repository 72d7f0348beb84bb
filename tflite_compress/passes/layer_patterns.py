"""Patterns of layer names, as settings of passes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tflite_compress.support.errors import ConfigError, ModelError


def layer_patterns(expressions: tuple[str, ...], key: str) -> list[re.Pattern[str]]:
    """Return compiled regular expressions for layer names.

    Args:
        expressions: The regular expressions.
        key: Name of the setting, for messages.

    Raises:
        ConfigError: One of them is not a regular expression.
    """
    try:
        return [re.compile(text) for text in expressions]
    except re.error as error:
        raise ConfigError(f"{key}: '{error.pattern!s}' is not a regular expression ({error.msg})") from error


def choose_layers(
    names: Sequence[str], include: tuple[str, ...], exclude: tuple[str, ...], keep_ends: bool
) -> tuple[str, ...]:
    """Return the layers that a pass changes, in their order.

    Args:
        names: The layers that it can change, in graph order.
        include: Regular expressions; only layers whose name matches one are changed. Empty: all.
        exclude: Regular expressions; layers whose name matches one are not.
        keep_ends: Leave out the first and the last layer, unless ``include`` names them.

    Raises:
        ConfigError: One of them is not a regular expression.
    """
    wanted, unwanted = layer_patterns(include, "include"), layer_patterns(exclude, "exclude")
    ends = {names[0], names[-1]} if keep_ends and names else set()

    def is_chosen(name: str) -> bool:
        asked_for = any(p.search(name) for p in wanted) if wanted else name not in ends
        return asked_for and not any(p.search(name) for p in unwanted)

    return tuple(filter(is_chosen, names))


def require_layers(chosen: Sequence[str], prunable: Sequence[str], model: str) -> None:
    """Check that there are layers to prune.

    Args:
        chosen: The layers to prune.
        prunable: The layers that could be pruned.
        model: Name of the model.

    Raises:
        ModelError: None is chosen.
    """
    if not chosen:
        raise ModelError(
            f"model '{model}' has no layer to prune (prunable: {', '.join(prunable) or 'none'}; the first "
            "and last are kept)",
            "Widen --include, narrow --exclude, pass --keep-ends=false, or choose a recipe without pruning.",
        )
