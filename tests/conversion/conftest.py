"""A trained model and its data, as passes see them."""

from __future__ import annotations

from tests.passes.conftest import context, start

__all__ = ["context", "start"]
