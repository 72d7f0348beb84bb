"""Run Keras models on random inputs, to compare two of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite_compress.models.keras_errors import cause_line
from tflite_compress.models.keras_types import KerasModel
from tflite_compress.support.backend import keras3, tensorflow
from tflite_compress.support.errors import ModelError
from tflite_compress.support.input_shape import probe_shape

Arrays = list[np.ndarray]


def run_on_random(first: KerasModel, second: KerasModel) -> tuple[Arrays, Arrays, Arrays]:
    """Return random inputs that two models with equal inputs accept, and the outputs of each.

    Open dimensions grow until the outputs are not empty.

    Raises:
        ModelError: The models do not run on random inputs.
    """
    is_open = any(None in tuple(tensor.shape[1:]) for tensor in second.inputs)
    found: tuple[Arrays, Arrays, Arrays] | None = None
    cause: Exception | None = None
    for scale in (1, 4, 16) if is_open else (1,):
        for whole in (False, True):  # an Embedding takes class numbers, and often has a float input
            inputs = random_inputs(second, scale=scale, whole=whole)
            try:
                found = inputs, run_model(first, inputs), run_model(second, inputs)
            except Exception as error:  # for example too short for the model
                cause = cause or error
                continue
            if all(output.size for output in found[1]):
                return found
    if found is not None:
        return found
    assert cause is not None
    raise ModelError(
        f"model '{first.name}' does not run on random inputs: {cause_line(cause)}",
        "Check that the model runs on inputs of its input shape.",
    ) from cause


def run_model(model: KerasModel, arrays: Sequence[object]) -> Arrays:
    """Return the outputs of a Keras 2 or Keras 3 model in inference mode, as a flat list."""
    outputs = model(structured_inputs(model, arrays), training=False)
    return [np.asarray(x) for x in tensorflow().nest.flatten(outputs)]


def random_inputs(
    model: KerasModel, batch: int = 2, seed: int = 0, scale: int = 1, whole: bool = False
) -> Arrays:
    """Return random arrays for a Keras 2 or Keras 3 model: unit normal for float inputs, 0 or 1 for integers.

    Args:
        model: The model.
        batch: Samples, where the batch is free.
        seed: Seed of the generator.
        scale: Factor on the sizes of free dimensions; see :func:`probe_shape`.
        whole: Give float inputs 0 or 1 too.
    """
    rng = np.random.default_rng(seed)
    arrays = []
    for tensor in model.inputs:
        shape = [tensor.shape[0] or batch, *probe_shape(tuple(tensor.shape[1:]), scale)]
        dtype = tensorflow().as_dtype(tensor.dtype)  # Keras 3 names types by strings
        if dtype.is_floating and not whole:
            arrays.append(rng.standard_normal(shape).astype(dtype.as_numpy_dtype))
        else:
            arrays.append(rng.integers(0, 2, shape).astype(dtype.as_numpy_dtype))
    return arrays


def structured_inputs(model: KerasModel, arrays: Sequence[object]) -> object:
    """Nest arrays, given in the order of ``model.inputs``, as the model's call expects them."""
    structure = getattr(model, "_inputs_struct", None)
    if structure is not None:
        packed: object = keras3().tree.pack_sequence_as(structure, arrays)
        return packed
    return arrays[0] if len(arrays) == 1 else arrays
