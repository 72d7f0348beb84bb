"""MACs and weights of every builtin operator."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import builtin_names, pack, schema, unpack
from tflite_compress.tflite.macs import Work, count_work
from tflite_compress.tflite.operator_work import (
    PRODUCTS,
    WITHOUT_PRODUCTS,
    count_operator,
    named_weights,
    weight_inputs,
)

# Work that the file does not tell, or that no rule here describes.
NOT_COUNTED = frozenset(
    """
    CALL CUSTOM DELEGATE EMBEDDING_LOOKUP_SPARSE IF LSH_PROJECTION PLACEHOLDER_FOR_GREATER_OP_CODES RFFT2D
    STABLEHLO_CASE STABLEHLO_COMPOSITE STABLEHLO_CONVOLUTION STABLEHLO_CUSTOM_CALL STABLEHLO_DOT_GENERAL
    STABLEHLO_REDUCE STABLEHLO_REDUCE_WINDOW STABLEHLO_SCATTER STABLEHLO_SORT STABLEHLO_WHILE WHILE
    """.split()
)

# Shapes of the inputs (None: left out), of the output, and the MACs and weights that follow.
CASES: dict[str, tuple[list[tuple[int, ...] | None], tuple[int, ...], int, int]] = {
    "CONV_2D": ([(1, 6, 6, 4), (8, 3, 3, 4)], (1, 4, 4, 8), 16 * 8 * 36, 288),
    "DEPTHWISE_CONV_2D": ([(1, 6, 6, 4), (1, 3, 3, 8)], (1, 4, 4, 8), 16 * 8 * 9, 72),
    "CONV_3D": ([(1, 4, 4, 4, 2), (3, 3, 3, 2, 5)], (1, 2, 2, 2, 5), 8 * 5 * 54, 270),
    "TRANSPOSE_CONV": ([(4,), (8, 3, 3, 4), (1, 5, 5, 4)], (1, 10, 10, 8), 25 * 288, 288),
    "CONV_3D_TRANSPOSE": ([(5,), (3, 3, 3, 5, 2), (1, 2, 2, 2, 2)], (1, 4, 4, 4, 5), 8 * 270, 270),
    "FULLY_CONNECTED": ([(2, 16), (10, 16)], (2, 10), 2 * 160, 160),
    "BATCH_MATMUL": ([(3, 4, 5), (3, 5, 6)], (3, 4, 6), 3 * 4 * 6 * 5, 90),
    "SVDF": ([(2, 16), (12, 16), (12, 10), (6,), (2, 120)], (2, 6), 2 * 12 * 26, 12 * 26),
    "RNN": ([(2, 8), (4, 8), (4, 4), (4,), (2, 4)], (2, 4), 2 * 48, 48),
    "UNIDIRECTIONAL_SEQUENCE_RNN": ([(2, 7, 8), (4, 8), (4, 4), (4,), (2, 4)], (2, 7, 4), 14 * 48, 48),
    "BIDIRECTIONAL_SEQUENCE_RNN": (
        [(2, 7, 8), *2 * [(4, 8), (4, 4), (4,), (2, 4)], None, None, None],
        (2, 7, 4),
        14 * 96,
        96,
    ),
    "LSTM": ([(2, 8), *4 * [(4, 8)], *4 * [(4, 4)], *7 * [(4,)], None], (2, 4), 2 * 192, 192),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        [(2, 7, 8), *4 * [(4, 8)], *4 * [(4, 4)], *3 * [None], *4 * [(4,)], (3, 4), None, (2, 3), (2, 4)],
        (2, 7, 3),
        14 * (4 * 32 + 4 * 16 + 12),
        4 * 32 + 4 * 16 + 12,
    ),
    "BIDIRECTIONAL_SEQUENCE_LSTM": (
        [
            (2, 7, 8),
            *2 * [*4 * [(4, 8)], *4 * [(4, 4)], *3 * [None], *4 * [(4,)], None, None],
            *4 * [(2, 4)],
            *9 * [None],
        ],
        (2, 7, 4),
        14 * 2 * 192,
        2 * 192,
    ),
}


def work_of(
    kind: str,
    inputs: list[tuple[int, ...] | None],
    output: tuple[int, ...],
    options: tuple[str, str, int] | None = None,
) -> Work:
    """Count a file with one operator: its weights are constant, its other inputs are not."""
    assembly = Assembly("one")
    places = (1,) if kind == "BATCH_MATMUL" else PRODUCTS[kind].weights
    numbers = []
    for i, shape in enumerate(inputs):
        if shape is None:
            numbers.append(-1)
        elif i in places:
            numbers.append(assembly.constant(f"w{i}", np.full(shape, i + 1, np.float32)))
        else:
            numbers.append(assembly.tensor(f"x{i}", shape, "float32"))
    made = None if options is None else assembly.options(options[0], **{options[1]: options[2]})
    last = assembly.operator(kind, numbers, "y", output, "float32", made)
    start = numbers[PRODUCTS[kind].data]
    return count_work(assembly.finished({"x": start}, {"y": last}))


def test_every_builtin_operator_is_counted_or_said_not_to_be() -> None:
    """An operator that a newer schema adds is not counted until it is sorted in."""
    names = set(builtin_names()) | {"CUSTOM"}
    counted = set(PRODUCTS) | (WITHOUT_PRODUCTS - {"TFLM_DECODE"})
    assert counted <= names and not counted & NOT_COUNTED and not set(PRODUCTS) & WITHOUT_PRODUCTS
    assert counted | NOT_COUNTED == names


@pytest.mark.parametrize("kind", sorted(PRODUCTS))
def test_macs_and_weights(kind: str) -> None:
    inputs, output, macs, weights = CASES[kind]
    work = work_of(kind, inputs, output)
    assert (work.macs, work.uncounted) == (macs, ())
    assert sum(layer.weights for layer in work.layers) == weights


def test_options_that_change_the_count() -> None:
    turned = work_of("BATCH_MATMUL", [(3, 5, 4), (3, 5, 6)], (3, 4, 6), ("BatchMatMulOptions", "adjX", True))
    assert turned.macs == 3 * 4 * 6 * 5
    basic: list[tuple[int, ...] | None] = [(1, 8), (1, 4), (16, 12), (16,), (1, 4)]
    assert work_of("LSTM", basic, (1, 4), ("LSTMOptions", "kernelType", 1)).macs == 16 * 12


def test_missing_inputs_and_custom_operators_are_not_counted() -> None:
    operator, graph = schema().OperatorT(), schema().SubGraphT()
    operator.inputs, operator.outputs = [], [0]
    tensor = schema().TensorT()
    tensor.shape, graph.tensors = [1], [tensor]
    for name in (*PRODUCTS, "MyOwn", "SignalRfft", *NOT_COUNTED):
        assert count_operator(name, operator, graph) is None, name
        assert weight_inputs(name, operator) == []


def test_weights_of_a_sparse_layer_are_weights() -> None:
    """A sparse file stores non-zero weights, which DENSIFY unpacks for the layer."""
    assembly = Assembly("sparse")
    start = assembly.tensor("x", (1, 4), "float32")
    packed = assembly.constant("w", np.arange(8, dtype=np.float32).reshape(2, 4))
    dense = assembly.operator("DENSIFY", [packed], "dense", (2, 4), "float32")
    last = assembly.operator("FULLY_CONNECTED", [start, dense, -1], "y", (1, 2), "float32")
    model = unpack(assembly.finished({"x": start}, {"y": last}))
    tensor = model.subgraphs[0].tensors[packed]
    tensor.sparsity = schema().SparsityParametersT()
    model.buffers[tensor.buffer].data = np.frombuffer(np.array([1, 2, 3], np.float32).tobytes(), np.uint8)
    (layer,) = count_work(pack(model)).layers
    assert (layer.weights, layer.zeros, layer.name) == (8, 5, "dense")


def test_the_table_of_an_embedding_is_weights() -> None:
    """An Embedding layer becomes a GATHER of rows; a GATHER of positions holds none."""
    assembly = Assembly("text")
    words = assembly.tensor("words", (1, 5), "int32")
    table = assembly.constant("table", np.ones((100, 8), np.float32))
    places = assembly.constant("places", np.arange(100, dtype=np.int32).reshape(50, 2))
    rows = assembly.operator("GATHER", [table, words], "rows", (1, 5, 8), "float32")
    other = assembly.operator("GATHER", [places, words], "other", (1, 5, 2), "int32")
    (layer,) = count_work(assembly.finished({"words": words}, {"rows": rows, "other": other})).layers
    assert (layer.operator, layer.weights) == ("GATHER", 800)


def test_activations_in_the_place_of_weights_name_no_layer() -> None:
    """Attention multiplies activations of two layers; its product belongs to neither."""
    assembly = Assembly("attention")
    query, key = (assembly.tensor(name, (1, 4, 4), "float32") for name in ("query", "key"))
    learned = assembly.constant("learned", np.ones((1, 4, 4), np.float32))
    scores = assembly.operator("BATCH_MATMUL", [query, key], "scores", (1, 4, 4), "float32")
    mixed = assembly.operator("BATCH_MATMUL", [scores, learned], "mixed", (1, 4, 4), "float32")
    model = unpack(assembly.finished({"query": query, "key": key}, {"mixed": mixed}))
    graph = model.subgraphs[0]
    found = [named_weights("BATCH_MATMUL", op, graph, model) for op in graph.operators]
    assert found == [[], [learned]]
