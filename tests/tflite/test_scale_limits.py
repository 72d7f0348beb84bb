"""Scales for which kernels abort are found, named, and avoided in what is converted."""

from __future__ import annotations

import numpy as np
import pytest

from tests.runtimes.refused import single
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.runtimes.isolated import ChildError
from tflite_compress.runtimes.litert import LiteRTModel
from tflite_compress.support.errors import ConversionError
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_names, pack, schema, unpack
from tflite_compress.tflite.scale_limits import find_scale_faults, with_safe_scales

SMALL = 2e-6 / 255  # the converter's smallest scale


def quantized(kind: str, inputs: int, scales: tuple[float, ...], type_name: str = "INT8") -> bytes:
    """One operator on integers; the last scale is that of the output."""
    names = {name: ((1, 4), type_name) for name in ("x", "y")[:inputs]}
    output = "BOOL" if kind == "LESS" else type_name
    tree = unpack(single(kind, names, ((1, 4), output)))
    editor, g = GraphEditor(tree), schema()
    for index, scale in enumerate(scales):
        editor.tensor(index).quantization = g.QuantizationParametersT(scale=[scale], zeroPoint=[0])
    given = {"beta": 1.0} if kind == "SOFTMAX" else {}
    words = "".join(word.title() for word in kind.split("_"))
    options = editor.options(f"{words}Options", **given)
    editor.graph.operators = [editor.operator(kind, list(range(inputs)), [inputs], options, 2)]
    if kind == "SOFTMAX":
        editor.tensor(1).quantization = g.QuantizationParametersT(scale=[1 / 256], zeroPoint=[-128])
    return pack(tree)


@pytest.mark.parametrize(
    ("kind", "scales", "type_name", "low", "stops_litert"),
    [
        ("SOFTMAX", (2.0**-26, 1 / 256), "INT8", 2.0**-26, False),
        ("ADD", (0.1, 0.2, 0.4 / 2**20), "INT8", 0.4 / 2**20, True),
        ("ADD", (0.1, 0.2, 0.4 / 2**15), "INT16", 0.4 / 2**15, True),
        ("SUB", (0.1, 0.2, 0.4 / 2**20), "INT8", 0.4 / 2**20, False),
        ("SQUARED_DIFFERENCE", (0.1, 0.2, 0.16 / 2**14), "INT8", 0.16 / 2**14, True),
        ("SUB", (0.0, 0.2, 0.1), "INT8", 0.0, True),
        ("FULLY_CONNECTED", (0.1, 0.2, 0.02 / 256), "INT8", 0.02 / 256, True),
    ],
)
def test_the_limit_of_each_kernel(
    kind: str, scales: tuple[float, ...], type_name: str, low: float, stops_litert: bool
) -> None:
    (fault,) = find_scale_faults(unpack(quantized(kind, len(scales) - 1, scales, type_name)))
    assert fault.low == pytest.approx(low, rel=1e-5)
    assert ("XNNPACK" in fault.kernels) == stops_litert
    above = [s if s != fault.scale and s != scales[-1] else s * 1.01 + (s == 0) for s in scales]
    assert not list(find_scale_faults(unpack(quantized(kind, len(scales) - 1, tuple(above), type_name))))


def test_a_softmax_that_aborts_is_named_and_runs_with_a_larger_scale() -> None:
    aborting = quantized("SOFTMAX", 1, (SMALL, 1 / 256))
    x = (np.array([[[100, 0, -100, 3]]], np.int8),)
    reference = find_runtime("litert-reference", Remote())
    message = (
        r"operator 0, SOFTMAX, layer 'layer' .*scale of 7.84e-09; the kernel needs a scale above 1.49e-08"
    )
    with pytest.raises(ChildError, match=message) as caught:
        reference(aborting, x)
    assert "Compress the Keras model again" in str(caught.value.hint)
    outputs = reference(with_safe_scales(aborting), x).outputs
    assert outputs is not None
    np.testing.assert_array_equal(outputs[0].ravel(), [-64] * 4)


def test_a_sum_that_aborts_is_refused_and_runs_with_a_larger_scale() -> None:
    aborting = quantized("ADD", 2, (0.1, 0.1, SMALL))
    with pytest.raises(ConversionError, match=r"operator 0, ADD, .*: its output has a scale of 7.84e-09"):
        LiteRTModel(aborting, ("x", "y"), ("layer/out",))
    safe = with_safe_scales(aborting)
    assert sorted(operator_names(safe)) == ["ADD", "QUANTIZE"]
    model = LiteRTModel(safe, ("x", "y"), ("layer/out",))
    model.set_inputs((np.array([[0, 1, -1, 0.5]]), np.array([[0, -1, 1, -0.5]])))
    model.invoke()
    np.testing.assert_array_equal(model.outputs()[0], np.zeros((1, 4)))


def test_a_comparison_of_large_scales_is_found() -> None:
    faults = list(find_scale_faults(unpack(quantized("LESS", 2, (2.0, 0.5)))))
    assert [str(fault) for fault in faults] == [
        "its input has a scale of 2; the kernel needs a scale below 1"
    ]


def test_other_files_are_unchanged() -> None:
    content = quantized("SOFTMAX", 1, (0.1, 1 / 256))
    assert with_safe_scales(content) is content
