"""Store what a ``.tflite`` computes from shapes alone: LiteRT.js and GPUs need fixed sizes."""

from __future__ import annotations

import sys

from tflite_compress.runtimes.isolated import job_folder, run_child
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_names, unpack
from tflite_compress.tflite.fold_constants import has_shape_operator

FOLDED = "folded.tflite"


def fold_shapes(content: bytes) -> tuple[bytes, int]:
    """Return the file with sizes stored that it computes with SHAPE, and the number of operators dropped.

    LiteRT computes the sizes in a child process. Sizes that depend on the values of the inputs stay
    computed. The file is returned unchanged if it has an open dimension or several graphs, or if LiteRT
    does not run it.

    Args:
        content: A valid ``.tflite``.
    """
    tree = unpack(content)
    if len(tree.subgraphs) != 1 or not has_shape_operator(GraphEditor(tree)):
        return content, 0
    with job_folder(content, ()) as folder:
        run_child([sys.executable, "-m", "tflite_compress.runtimes.fold_child", str(folder)], "LiteRT")
        path = folder / FOLDED
        folded = path.read_bytes() if path.exists() else content
    return folded, len(operator_names(content)) - len(operator_names(folded))
