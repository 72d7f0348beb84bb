"""Constants of zeros get a scale, without which LiteRT refuses the file."""

from __future__ import annotations

import numpy as np
import pytest

from tests.runtimes.refused import single
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.runtimes.refusals import explain_scales
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import pack, schema, unpack
from tflite_compress.tflite.tree import read_scales
from tflite_compress.tflite.zero_scales import with_scales_of_zeros


def zeros_minus_input(scale: float, value: int = 0) -> bytes:
    """A SUB in int16 of a constant and the input; the constant has a scale of its own."""
    tree = unpack(single("LOGISTIC", {"x": ((1, 4), "INT16")}, ((1, 4), "INT16")))
    editor, g = GraphEditor(tree), schema()
    zeros = editor.add_constant("zeros", np.full((1, 4), value, np.int16))
    for index, own in ((0, 0.001), (1, 0.002), (zeros, scale)):
        editor.tensor(index).quantization = g.QuantizationParametersT(scale=[own], zeroPoint=[0])
    editor.graph.operators = [editor.operator("SUB", [zeros, 0], [1], editor.options("SubOptions"), 3)]
    return pack(tree)


def test_a_constant_of_zeros_without_a_scale_gets_one() -> None:
    refused = zeros_minus_input(0.0)
    assert "its input has a scale of 0; the kernel needs a scale above 0" in str(
        explain_scales(unpack(refused), "XNNPACK")
    )
    content = with_scales_of_zeros(refused)
    found = find_runtime("litert-reference", Remote())(content, (np.full((1, 1, 4), 1000, np.int16),))
    assert found.outputs is not None
    np.testing.assert_array_equal(found.outputs[0].ravel(), [-500] * 4)
    scales = [float(read_scales(tensor)[0]) for tensor in unpack(content).subgraphs[0].tensors]
    assert scales[2] == pytest.approx(0.001)


@pytest.mark.parametrize(("scale", "value"), [(0.5, 0), (0.0, 3)])
def test_other_constants_are_unchanged(scale: float, value: int) -> None:
    content = zeros_minus_input(scale, value)
    assert with_scales_of_zeros(content) == content
