"""Import an object from its name ``module:name``, and name a callable."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from tflite_compress.support.errors import UsageError


def resolve_reference(reference: str, option: str) -> Any:
    """Import the object that ``module:name`` names, also from the current folder.

    Args:
        reference: The name.
        option: The option or parameter, for the error message.

    Raises:
        UsageError: There is no such module or name.
    """
    module_name, _, attribute = reference.partition(":")
    if not attribute:
        raise UsageError(f"{option}={reference}: expected module:name", "For example mymodule:function.")
    sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{option}={reference}: {error}",
            "Check the spelling, and run from the folder that holds the module.",
        ) from error
    finally:
        sys.path.remove(os.getcwd())


def reference_name(value: str | Callable[..., object]) -> str:
    """Return a string unchanged, and a callable as ``module:name``, for reports and records.

    Args:
        value: A name or a callable.
    """
    if isinstance(value, str):
        return value
    kind = value if hasattr(value, "__qualname__") else type(value)
    return f"{kind.__module__}:{kind.__qualname__}"
