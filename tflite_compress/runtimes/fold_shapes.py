"""Store what a ``.tflite`` computes before it reads its inputs: sizes, and weights of the sparse format."""

from __future__ import annotations

import sys
from typing import Literal, get_args

from tflite_compress.runtimes.isolated import job_folder, run_child
from tflite_compress.support.notes import Note
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_names, unpack
from tflite_compress.tflite.fold_constants import has_shape_operator, has_sparse_weights

FOLDED = "folded.tflite"
Kind = Literal["sizes", "weights"]
DENSE_NOTE = Note(
    "stored-densely", "weights are stored densely: GPUs compute wrong values from sparsely stored ones"
)
KINDS: tuple[Kind, ...] = get_args(Kind)


def fold_shapes(content: bytes) -> tuple[bytes, int]:
    """Return the file with sizes stored that it computes with SHAPE, and the number of operators dropped.

    LiteRT.js and GPUs need fixed sizes. LiteRT computes them in a child process. Sizes that depend on the
    values of the inputs stay computed. The file is returned unchanged if it has an open dimension or several
    graphs, or if LiteRT does not run it.

    Args:
        content: A valid ``.tflite``.
    """
    tree = unpack(content)
    if len(tree.subgraphs) != 1 or not has_shape_operator(GraphEditor(tree)):
        return content, 0
    return _fold(content, "sizes")


def store_densely(content: bytes) -> tuple[bytes, int]:
    """Return the file with its sparsely stored weights stored densely, and the number of operators dropped.

    LiteRT's GPU accelerator computes wrong values from sparse weights (measured with ai-edge-litert 2.3.0).
    The file is returned unchanged if it has none, has several graphs, or if LiteRT does not run it.

    Args:
        content: A valid ``.tflite``.
    """
    tree = unpack(content)
    if len(tree.subgraphs) != 1 or not has_sparse_weights(GraphEditor(tree)):
        return content, 0
    return _fold(content, "weights")


def _fold(content: bytes, kind: Kind) -> tuple[bytes, int]:
    command = [sys.executable, "-m", "tflite_compress.runtimes.fold_child"]
    with job_folder(content, ()) as folder:
        run_child([*command, str(folder), kind], "LiteRT")
        path = folder / FOLDED
        folded = path.read_bytes() if path.exists() else content
    return folded, len(operator_names(content)) - len(operator_names(folded))
