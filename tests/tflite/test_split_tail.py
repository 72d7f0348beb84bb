"""A file is split behind what a GPU computes, and both files together compute the same, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from tests.runtimes.gpu_files import gathered, with_variable
from tests.tflite.pose_file import POINTS, SIZE, pose_network
from tflite_compress.runtimes.litert import predict
from tflite_compress.tflite.flatbuffer import operator_names, pack, schema, unpack
from tflite_compress.tflite.integrity import validate
from tflite_compress.tflite.split_tail import MAX_TAIL_BYTES, Source, SplitFile, split_tail
from tflite_compress.tflite.tensor_specs import read_signature

IMAGES = np.random.default_rng(1).normal(size=(3, SIZE, SIZE, 3)).astype(np.float32)


def split(content: bytes, *refused: str, crossing: int = 0) -> SplitFile | None:
    return split_tail(content, [name not in refused for name in operator_names(content)], crossing)


def run(content: bytes, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Run a file on one sample; inputs and outputs have its own shapes."""
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(model_content=content)
    model.allocate_tensors()
    for detail, values in zip(model.get_input_details(), arrays, strict=True):
        model.set_tensor(detail["index"], values)
    model.invoke()
    return [model.get_tensor(detail["index"]) for detail in model.get_output_details()]


def test_both_files_compute_what_the_whole_one_does() -> None:
    content = pose_network()
    found = split(content, "GATHER_ND")
    assert found is not None and found.tail_operators == ("GATHER_ND", "ADD") and found.passed == 3
    validate(found.head)
    validate(found.tail)
    assert found.outputs == (Source("tail", 0), Source("head", 3))
    for image in IMAGES:
        head = run(found.head, [image[None]])
        sides = {"head": head, "tail": run(found.tail, head[: found.passed])}
        expected = run(content, [image[None]])
        for source, wanted in zip(found.outputs, expected, strict=True):
            np.testing.assert_array_equal(sides[source.part][source.place], wanted)


def test_names_say_what_goes_where() -> None:
    found = split(pose_network(), "GATHER_ND")
    assert found is not None
    head, tail = read_signature(found.head), read_signature(found.tail)
    assert [spec.name for spec in head.inputs] == ["image"]
    assert [spec.name for spec in head.outputs] == ["part_000", "part_001", "part_002", "part_003"]
    assert [spec.name for spec in tail.inputs] == ["part_000", "part_001", "part_002"]
    assert [spec.name for spec in tail.outputs] == ["rows"]
    assert found.passed_bytes == sum(spec.dtype.itemsize * np.prod(spec.shape) for spec in tail.inputs)


def test_tensors_that_cannot_be_passed_on_are_computed_in_the_tail() -> None:
    """The places of the peaks as int16, which neither LiteRT.js nor a phone's Kotlin reads."""
    tree = unpack(pose_network())
    graph, kinds = tree.subgraphs[0], schema().TensorType
    gather = graph.operators[operator_names(pack(tree)).index("GATHER_ND")]
    place = graph.tensors[int(gather.inputs[1])]
    place.type = kinds.INT16
    content = pack(tree)
    found = split(content, "GATHER_ND")
    assert found is not None and found.tail_operators == ("PACK", "GATHER_ND", "ADD")
    assert {spec.type for spec in read_signature(found.tail).inputs} == {"FLOAT32", "INT32"}


def test_weights_stored_in_float16_stay_with_their_operators() -> None:
    """Operators that convert them when the file is loaded belong to both files."""
    tree = unpack(pose_network())
    graph, g = tree.subgraphs[0], schema()
    conv = graph.operators[1]
    kernel = graph.tensors[int(conv.inputs[1])]
    values = np.frombuffer(np.asarray(tree.buffers[kernel.buffer].data).tobytes(), np.float32)
    tree.buffers[kernel.buffer].data = np.frombuffer(values.astype(np.float16).tobytes(), np.uint8)
    kernel.type = g.TensorType.FLOAT16
    graph.tensors.append(g.TensorT(name="wide", shape=kernel.shape, type=0, buffer=0, hasRank=True))
    tree.operatorCodes.append(g.OperatorCodeT(deprecatedBuiltinCode=6, builtinCode=6, version=3))
    wide = len(graph.tensors) - 1
    unpacked = g.OperatorT(
        opcodeIndex=len(tree.operatorCodes) - 1, inputs=[int(conv.inputs[1])], outputs=[wide]
    )
    conv.inputs = [int(conv.inputs[0]), wide, int(conv.inputs[2])]
    graph.operators.insert(0, unpacked)
    content = pack(tree)
    found = split(content, "GATHER_ND")
    assert found is not None and "DEQUANTIZE" in operator_names(found.head)
    assert operator_names(found.tail) == ["GATHER_ND", "ADD"]
    names = (("image",), ("part_003",))
    (scores,) = predict(found.head, (IMAGES,), *names, workers=1)
    (expected,) = predict(content, (IMAGES,), ("image",), ("scores",), workers=1)
    assert scores.shape == (len(IMAGES), POINTS)
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (pose_network(), "CONV_2D"),  # the network itself
        (pose_network(), "SOFTMAX"),  # nothing
        (gathered(), "GATHER_ND"),  # a file without multiply-accumulates
        (with_variable(), "READ_VARIABLE"),
    ],
)
def test_files_that_stay_one(content: bytes, refused: str) -> None:
    assert split(content, refused) is None


def test_no_more_bytes_change_sides_than_before() -> None:
    tree = unpack(pose_network())
    for tensor in tree.subgraphs[0].tensors:
        if tensor.name == b"offsets":
            tensor.shape = [1, MAX_TAIL_BYTES, 1, 1]
    content = pack(tree)
    assert split(content, "GATHER_ND") is None
    assert split(content, "GATHER_ND", crossing=8 * MAX_TAIL_BYTES) is not None
