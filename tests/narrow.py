"""Values of a wide type as the narrow type that a test needs; the test fails where they are not of it."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return a value that may be missing in general and must be there in this test."""
    assert value is not None
    return value


def of_type(kind: type[T], value: object) -> T:
    """Return a value that must be of a class."""
    assert isinstance(value, kind), f"expected {kind.__name__}, not {type(value).__name__}"
    return value
