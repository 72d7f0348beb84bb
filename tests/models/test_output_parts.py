from __future__ import annotations

import msgspec
import numpy as np

from tflite_compress.models.output_parts import JoinedOutput, OutputParts, file_outputs, join_outputs

NESTED = OutputParts(1, (OutputParts(2, ("boxes", "scores")), "rest"))


def test_parts_of_parts_make_the_original_outputs() -> None:
    whole, other = np.arange(24.0).reshape(2, 3, 4), np.zeros((2, 1))
    joined = (JoinedOutput("all", NESTED), JoinedOutput("other", "other"))
    names = file_outputs(joined)
    assert names == ("boxes", "scores", "rest", "other")
    arrays = whole[:, :2, :3], whole[:, :2, 3:], whole[:, 2:], other
    found = join_outputs(joined, names, arrays)
    assert np.array_equal(found[0], whole) and found[1] is other


def test_outputs_without_parts_stay() -> None:
    arrays = (np.zeros(3),)
    assert join_outputs((), ("a",), arrays) is arrays or join_outputs((), ("a",), arrays)[0] is arrays[0]


def test_parts_can_be_written_and_read() -> None:
    one = JoinedOutput("all", NESTED)
    assert msgspec.json.decode(msgspec.json.encode(one), type=JoinedOutput) == one
