"""The trained example as passes see it."""

from tests.passes.conftest import context, start

__all__ = ["context", "start"]
