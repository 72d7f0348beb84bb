"""The child process of ``resize_file``: ``python -m ...resize_child FOLDER TENSORS``."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np

from tflite_compress.runtimes.resize_file import REPLY_PREFIX


def main(folder: Path, tensors: list[int]) -> None:
    """Run a file once on inputs of other sizes and print the shape of each tensor as JSON.

    Args:
        folder: Contains ``model.tflite`` and ``inputs.npz``.
        tensors: Index of each input's tensor.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that all tensors are kept
        interpreter = Interpreter(
            model_path=str(folder / "model.tflite"),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    with np.load(folder / "inputs.npz") as archive:
        arrays = [archive[f"input_{i}"] for i in range(len(tensors))]
    for index, array in zip(tensors, arrays, strict=True):
        interpreter.resize_tensor_input(index, array.shape)
    interpreter.allocate_tensors()
    for index, array in zip(tensors, arrays, strict=True):
        interpreter.set_tensor(index, array)
    interpreter.invoke()  # some shapes are known only after a run
    shapes = {d["index"]: [int(n) for n in d["shape"]] for d in interpreter.get_tensor_details()}
    print(REPLY_PREFIX + json.dumps([shapes.get(i, []) for i in range(max(shapes) + 1)]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
