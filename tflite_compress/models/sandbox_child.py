"""The child process of a sandboxed load: ``python -m tflite_compress.models.sandbox_child MODEL CUSTOM``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from tflite_compress.models.read_model import read_model
from tflite_compress.models.sandboxed_load import REPLY_PREFIX
from tflite_compress.support.errors import CompressError
from tflite_compress.support.input_shape import probe_shape
from tflite_compress.support.process_settings import own_process
from tflite_compress.support.references import resolve_reference


def main(path: str, custom: str) -> None:
    """Load a model, run one sample and print the number of weights, or the error, as JSON.

    Args:
        path: The model.
        custom: Custom objects as ``module:dict``; empty if there are none.
    """
    try:
        objects = dict(resolve_reference(custom, "--custom-objects")) if custom else {}
        network = read_model(Path(path), objects, False).network
        network.predict(tuple(np.zeros([1, *probe_shape(p.shape[1:])], p.dtype) for p in network.inputs), 1)
        reply: dict[str, object] = {"parameters": network.parameter_count()}
    except CompressError as error:
        reply = {"message": error.message, "hint": error.hint}
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        reply = {
            "message": f"{path}: cannot be loaded or run: {reason}",
            "hint": "If you trust the source of the model, pass --trust-model.",
        }
    print(REPLY_PREFIX + json.dumps(reply), flush=True)


if __name__ == "__main__":
    own_process()
    main(sys.argv[1], sys.argv[2])
