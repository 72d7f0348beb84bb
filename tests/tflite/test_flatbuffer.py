from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.runtimes.arena import estimate_arena
from tflite_compress.support.errors import ConversionError
from tflite_compress.tflite.flatbuffer import operator_names, pack, read_tree, tensor_name, unpack
from tflite_compress.tflite.integrity import validate
from tflite_compress.tflite.macs import count_work
from tflite_compress.tflite.slim_file import list_slimming_steps, slim_file
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.timing.prefixes import CutModel


@pytest.fixture(scope="module")
def content(keras: ModuleType) -> bytes:
    from tflite_compress.conversion.converter import ConverterSettings, convert_network
    from tflite_compress.models.load import load_model

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="picture"),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="stem"),
            layers.DepthwiseConv2D(3, padding="same", name="depth"),
            layers.Conv2DTranspose(5, 2, strides=2, name="up"),
            layers.Flatten(),
            layers.Dense(7, name="answer"),
        ]
    )
    weights = [np.random.default_rng(0).standard_normal(w.shape) for w in model.get_weights()]
    weights[-2][: weights[-2].shape[0] // 2] = 0
    model.set_weights(weights)
    network = load_model(model).network
    samples = (np.random.default_rng(0).standard_normal((8, 8, 8, 3)).astype(np.float32),)
    return convert_network(network, ConverterSettings(precision="int8"), samples, lambda n: None)[0]


def test_macs_and_zeros_are_counted(content: bytes) -> None:
    work = count_work(content)
    stem, depth, up, answer = 64 * 27 * 4, 64 * 9 * 4, 64 * 4 * 4 * 5, 16 * 16 * 5 * 7
    assert work.macs == stem + depth + up + answer and work.uncounted == ()
    dense = work.layers[-1]
    assert dense.operator == "FULLY_CONNECTED" and dense.weights == 1280 * 7
    assert dense.zeros >= dense.weights // 2


def test_packing_keeps_the_model_and_aligns_its_buffers(content: bytes) -> None:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

    packed = pack(unpack(content))
    outputs = []
    for version in (content, packed):
        interpreter = Interpreter(model_content=version)
        interpreter.allocate_tensors()
        detail = interpreter.get_input_details()[0]
        x = np.random.default_rng(1).standard_normal(detail["shape"]).astype(detail["dtype"])
        interpreter.set_tensor(detail["index"], x)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    assert np.array_equal(*outputs)
    model = schema.Model.GetRootAs(packed)
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength():
            offset = buffer._tab.Vector(buffer._tab.Offset(4))
            assert offset % 16 == 0


def test_slimming_keeps_what_users_rely_on(content: bytes) -> None:
    result = slim_file(content, list_slimming_steps("safe"))
    assert len(result) < len(content) and operator_names(result) == operator_names(content)
    model = unpack(result)
    names = [tensor_name(t) for t in model.subgraphs[0].tensors]
    assert "picture" in names and "answer" in names and "stem" in names
    assert max(map(len, names)) < 20
    assert [s.signatureKey for s in present(model.signatureDefs)] == [b"serving_default"]
    assert len(slim_file(result, list_slimming_steps("safe"))) <= len(result)


def test_other_bytes_are_refused(digits: Path) -> None:
    with pytest.raises(ConversionError, match=r"not a \.tflite"):
        unpack(digits.read_bytes())


def test_readers_share_one_tree_and_leave_it_unchanged(content: bytes) -> None:
    readers = (count_work, operator_names, estimate_arena, read_signature, CutModel)
    for read in readers:
        read(content)
        assert pack(read_tree(content)) == pack(unpack(content)), read
    assert validate(content) is read_tree(content)
