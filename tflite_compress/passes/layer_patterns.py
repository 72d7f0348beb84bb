"""Patterns of layer names, as settings of passes."""

from __future__ import annotations

import re

from tflite_compress.support.errors import ConfigError


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
