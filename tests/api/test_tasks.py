from __future__ import annotations

import inspect

import pytest

import tflite_compress as tc


@pytest.mark.parametrize(
    "name", ["apply", "check", "compress", "compress_many", "convert", "diagnose", "search"]
)
def test_what_outputs_are_can_be_named(name: str) -> None:
    parameters = inspect.signature(getattr(tc, name)).parameters
    assert {"task", "head", "anchors"} <= set(parameters)
    assert all(parameters[one].default is None for one in ("task", "head", "anchors"))
