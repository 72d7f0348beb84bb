"""``--input-shape``: sizes of open dimensions."""

from __future__ import annotations

import pytest

from tests.narrow import present
from tflite_compress.support.errors import UsageError
from tflite_compress.support.input_shape import (
    InputShape,
    OpenShape,
    Shape,
    choose_shapes,
    describe_open,
    parse_input_shape,
    suggest_shapes,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("224x224x3", {None: (224, 224, 3)}),
        ("20", {None: (20,)}),
        ("image=8x9x3, text=20", {"image": (8, 9, 3), "text": (20,)}),
        ((8, 9, 3), {None: (8, 9, 3)}),
        ([8, 9, 3], {None: (8, 9, 3)}),
        ({"image": (8, 9)}, {"image": (8, 9)}),
    ],
)
def test_sizes_are_read(value: InputShape, expected: dict[str | None, Shape]) -> None:
    assert parse_input_shape(value) == expected


@pytest.mark.parametrize("value", ["", "x3", "3x", "a=", "0x3", "-1x3", "3xNone", (0, 3), ("3",), {"a": "3"}])
def test_malformed_sizes_are_refused(value: InputShape) -> None:
    with pytest.raises(UsageError, match="sizes without the batch"):
        parse_input_shape(value)


@pytest.mark.parametrize(
    ("value", "inputs", "message"),
    [
        ("8x8", {"a": (None, None, 3)}, r"input 'a' is \? x \? x 3"),
        ("8x8x1", {"a": (None, None, 3)}, r"input 'a' is \? x \? x 3"),
        ("b=8x8x3", {"a": (None, None, 3)}, "no input 'b'; it has a"),
        ("8x8x3", {"a": (None, None, 3), "b": (None,)}, "has 2 inputs: a, b"),
    ],
)
def test_sizes_that_do_not_fit_give_a_hint_that_works(
    value: str, inputs: dict[str, OpenShape], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        choose_shapes(value, inputs)
    suggestion = present(caught.value.hint).split("--input-shape=")[1].rstrip(".")
    assert suggestion == suggest_shapes(inputs)
    chosen = choose_shapes(suggestion, inputs)
    assert set(chosen) == set(inputs)


def test_open_inputs_are_named_with_their_shapes() -> None:
    one = describe_open({"input": (None,)})
    assert one.startswith("input 'input' (batch x ?) has open dimensions besides the batch")
    two = describe_open({"a": (None, None, 3), "b": (None,)})
    assert two.startswith("inputs 'a' (batch x ? x ? x 3), 'b' (batch x ?) have open dimensions")
