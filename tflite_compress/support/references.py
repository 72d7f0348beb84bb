"""Import an object from its name, given as ``module:name``."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from tflite_compress.support.errors import UsageError


def resolve_reference(reference: str, option: str) -> Any:
    """Import what ``module:name`` refers to, looking in the current folder too.

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
