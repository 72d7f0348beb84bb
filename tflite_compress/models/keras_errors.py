"""What an exception of Keras says, in one line."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\x1b\[\d+m")
_REBUILDING = re.compile(
    r"(?:Error when deserializing class '(?P<old>\w+)'|<class '[\w.]*?(?P<new>\w+)'> could not be deser)"
    r".*?'name': '(?P<name>[^']+)'.*?Exception encountered: (?P<reason>.*)",
    re.S,
)


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
