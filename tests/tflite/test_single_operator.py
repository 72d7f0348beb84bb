"""One operator as a file of its own."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tests.timing.models import dense
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.tflite.single_operator import cut_operator, operator_form


def run(content: bytes, x: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def test_operators_one_after_another_compute_what_the_file_does() -> None:
    tree = unpack(dense(4, 2))
    graph = tree.subgraphs[0]
    x = np.random.default_rng(0).standard_normal((1, 4)).astype(np.float32)
    y = x
    for op in graph.operators:
        y = run(cut_operator(tree, graph, op), y)
    assert np.array_equal(y, run(dense(4, 2), x))
    assert [list(op.inputs) for op in graph.operators] == [[0, 1, -1], [2, 3, -1]]  # the file is unchanged


def test_operators_of_one_form_differ_only_in_values() -> None:
    tree, wide = unpack(dense(4, 2)), unpack(dense(8, 1))
    first, second = (operator_form(tree, tree.subgraphs[0], op) for op in tree.subgraphs[0].operators)
    assert first == second
    assert first != operator_form(wide, wide.subgraphs[0], wide.subgraphs[0].operators[0])
