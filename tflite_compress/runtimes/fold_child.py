"""The child process of ``fold_shapes``: ``python -m ...fold_child FOLDER sizes|weights``."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.runtimes.fold_shapes import FOLDED, KINDS, Kind
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import pack, unpack
from tflite_compress.tflite.fold_constants import find_dense_weights, find_shape_values, store_values
from tflite_compress.tflite.slim_file import merge_buffers

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


def main(folder: Path, kind: Kind) -> None:
    """Store the sizes that ``model.tflite`` computes, or its sparse weights densely.

    The file is written if it has some.

    Args:
        folder: Contains ``model.tflite``.
        kind: What to store.
    """
    content = (folder / "model.tflite").read_bytes()
    while folded := _fold_once(content, kind):  # sizes that are stored make those of later tensors known
        content = folded
        (folder / FOLDED).write_bytes(content)


def _fold_once(content: bytes, kind: Kind) -> bytes | None:
    """Return the file with all values stored that LiteRT knows before a run; None if there are none."""
    interpreter = _load(content)
    details = {d["index"]: d for d in interpreter.get_tensor_details()}
    is_open = any(-1 in d["shape_signature"] for d in interpreter.get_input_details())
    if is_open and kind == "sizes":
        return None
    interpreter.allocate_tensors()
    editor = GraphEditor(unpack(content))
    static = {i for i in details if _is_static(interpreter, i)}
    chosen = find_shape_values(editor, static.__contains__) if kind == "sizes" else find_dense_weights(editor)
    if not chosen:
        return None
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    store_values(editor, {i: interpreter.get_tensor(i) for i in chosen})
    editor.drop_unused()
    merge_buffers(editor.tree)
    return pack(editor.tree)


def _load(content: bytes) -> Interpreter:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that all tensors are kept
        return Interpreter(
            model_content=content,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )


def _is_static(interpreter: Interpreter, index: int) -> bool:
    """Return True for a tensor that has memory before a run: LiteRT knows its shape."""
    try:
        interpreter.get_tensor(index)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    (chosen_kind,) = (kind for kind in KINDS if kind == sys.argv[2])
    main(Path(sys.argv[1]), chosen_kind)
