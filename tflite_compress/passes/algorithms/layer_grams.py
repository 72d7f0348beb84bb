"""Second moments of layers' inputs, for reconstructing outputs from fewer weights; see ``oneshot_prune``.

A kernel is seen as one matrix (rows, outputs) per group. The rows of a convolution are the values of a patch
of its input in the order (height, width, channel). A group with many rows is split: the outputs of each part
are reconstructed by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from tflite_compress.models.keras_types import ConvolutionLayer, KerasModel, KernelLayer, Layer, Tensor

BATCH = 32
POSITIONS = 128  # of a sample's output positions: neighbours say nearly the same


@dataclass(frozen=True, eq=False)
class Grams:
    """Second moments of a layer's inputs. The last row is a constant 1 where a constant can be added.

    Attributes:
        given: Of the changed network's inputs with themselves, float64, shape (groups, rows, rows).
        wanted: Of the changed network's inputs with the original's, same shape.
    """

    given: np.ndarray
    wanted: np.ndarray


def is_supported(layer: Layer) -> bool:
    """Return True for a layer whose kernel is a matrix for each group of inputs: convolution or dense."""
    return type(layer).__name__ in ("Conv1D", "Conv2D", "Dense")


def split_rows(layer: KernelLayer, max_rows: int) -> tuple[int, int]:
    """Return groups and rows of each group, without the constant.

    Args:
        layer: A supported layer.
        max_rows: Maximum rows of a group; groups with more are split into equal parts.
    """
    *rows, _ = layer.kernel.shape
    per_group = int(np.prod(rows))
    parts = next(n for n in range(1, per_group + 1) if per_group % n == 0 and per_group // n <= max_rows)
    return getattr(layer, "groups", 1) * parts, per_group // parts


def as_matrices(layer: KernelLayer, kernel: np.ndarray, groups: int) -> np.ndarray:
    """Return a kernel or mask as matrices, shape (groups, rows, outputs), float64."""
    convolved = getattr(layer, "groups", 1)
    flat = kernel.reshape(-1, convolved, kernel.shape[-1] // convolved)
    parts = groups // convolved
    by_group = np.moveaxis(flat, 1, 0)
    return np.ascontiguousarray(
        by_group.reshape(convolved * parts, flat.shape[0] // parts, flat.shape[2]), dtype=np.float64
    )


def as_kernel(layer: KernelLayer, matrices: np.ndarray) -> np.ndarray:
    """Return matrices in the shape of the layer's kernel; the opposite of :func:`as_matrices`."""
    shape = tuple(layer.kernel.shape)
    convolved = getattr(layer, "groups", 1)
    by_group = matrices.reshape(convolved, -1, shape[-1] // convolved)
    return np.ascontiguousarray(np.moveaxis(by_group, 0, 1)).reshape(shape).astype(np.float32)


def gather_grams(
    original: KerasModel,
    changed: KerasModel,
    names: Sequence[str],
    inputs: tuple[np.ndarray, ...],
    max_rows: Mapping[str, int],
    seed: int,
    shifted: Collection[str] = (),
) -> dict[str, Grams]:
    """Measure second moments of the inputs of layers, in one run over the samples.

    Args:
        original: A tf_keras model.
        changed: The same model with other weights.
        names: The layers.
        inputs: Samples, one array per input.
        max_rows: For each layer; see :func:`split_rows`.
        seed: Seed of the choice of output positions.
        shifted: Layers without a bias that get a constant row too.
    """
    from tflite_compress.support.backend import tensorflow, tf_keras

    keras, linalg = tf_keras(), tensorflow().linalg
    same = original is changed
    models = [changed] if same else [changed, original]
    layers = [changed.get_layer(name) for name in names]
    probes = [keras.Model(m.inputs, [m.get_layer(name).input for name in names]) for m in models]
    shapes = [split_rows(layer, max_rows[layer.name]) for layer in layers]
    constant = [bool(layer.use_bias) or layer.name in shifted for layer in layers]
    sizes = [(groups, rows + more) for (groups, rows), more in zip(shapes, constant, strict=True)]
    sums = [[np.zeros((groups, rows, rows)) for groups, rows in sizes] for _ in models]
    rng = np.random.default_rng(seed)
    for batch in _batches(inputs):
        values = [_as_list(probe(batch, training=False)) for probe in probes]
        for index, (layer, (groups, rows)) in enumerate(zip(layers, shapes, strict=True)):
            state = rng.bit_generator.state
            matrices = []
            for found in values:
                rng.bit_generator.state = state  # the same positions of both networks
                matrices.append(_matrices(layer, found[index], (groups, rows), constant[index], rng))
            for total, matrix in zip(sums, matrices, strict=True):
                total[index] += np.asarray(linalg.matmul(matrices[0], matrix, transpose_a=True))
    return {name: Grams(sums[0][index], sums[-1][index]) for index, name in enumerate(names)}


def _batches(inputs: tuple[np.ndarray, ...]) -> Iterator[Tensor | list[Tensor]]:
    from tflite_compress.support.backend import tensorflow

    for start in range(0, len(inputs[0]), BATCH):
        batch = [tensorflow().constant(x[start : start + BATCH]) for x in inputs]
        yield batch if len(batch) > 1 else batch[0]


def _as_list(values: object) -> list[np.ndarray]:
    found = values if isinstance(values, (list, tuple)) else [values]
    return [np.asarray(value) for value in found]


def _matrices(
    layer: KernelLayer,
    values: np.ndarray,
    shape: tuple[int, int],
    constant: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the layer's inputs as matrices, shape (groups, samples and positions, rows).

    ``shape`` is that of :func:`split_rows`; with ``constant`` there is one more row of ones.
    """
    groups, rows = shape
    patches = _patches(layer, values)
    _, positions, width = patches.shape
    if positions > POSITIONS:
        chosen = np.sort(rng.choice(positions, POSITIONS, replace=False))
        patches = patches[:, chosen]
    convolved, channels = getattr(layer, "groups", 1), _channels(layer)
    flat = patches.reshape(-1, width // channels, channels)
    by_group = flat.reshape(len(flat), -1, convolved, channels // convolved)
    moved = np.moveaxis(by_group, 2, 0).reshape(convolved, len(flat), groups // convolved, rows)
    matrices = np.moveaxis(moved, 2, 1).reshape(groups, len(flat), rows)
    if constant:
        ones = np.ones((groups, len(flat), 1), matrices.dtype)
        matrices = np.concatenate([matrices, ones], axis=2)
    return np.asarray(matrices)


def _channels(layer: KernelLayer) -> int:
    return int(layer.kernel.shape[-2]) * getattr(layer, "groups", 1)


def _patches(layer: KernelLayer, values: np.ndarray) -> np.ndarray:
    """Return what each output position of the layer sees, shape (samples, positions, patch values)."""
    from tflite_compress.support.backend import tensorflow

    tf = tensorflow()
    if type(layer).__name__ == "Dense":
        return values.reshape(len(values), -1, values.shape[-1])
    layer = cast("ConvolutionLayer", layer)
    size, strides, dilation = layer.kernel_size, layer.strides, layer.dilation_rate
    padding = layer.padding
    if type(layer).__name__ == "Conv1D":
        if padding == "causal":
            values = tf.pad(values, [[0, 0], [dilation[0] * (size[0] - 1), 0], [0, 0]])
            padding = "valid"
        values = values[:, :, None]
        size, strides, dilation = ((*pair, 1) for pair in (size, strides, dilation))
    found = tf.image.extract_patches(
        values, (1, *size, 1), (1, *strides, 1), (1, *dilation, 1), padding.upper()
    )
    return np.asarray(tf.reshape(found, (found.shape[0], -1, found.shape[-1])))
