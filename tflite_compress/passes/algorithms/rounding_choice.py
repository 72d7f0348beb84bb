"""Choose how 4-bit weights are rounded, by the outputs of the whole file; see ``conversion.weight_rounding``.

Errors of several layers partly cancel, so the best rounding for each layer alone is not the best for all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.conversion import LayerType, WeightRounding
from tflite_compress.conversion.weight_rounding import describe_rounding, possible_roundings
from tflite_compress.passes.algorithms.file_agreement import compared_samples
from tflite_compress.passes.values import FloatModel, FourBitRounding, LayerTypes
from tflite_compress.runtimes.litert import predict
from tflite_compress.scoring.agreement import compare_agreement
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note
from tflite_compress.support.quantities import format_share

if TYPE_CHECKING:
    from tflite_compress.conversion.per_layer import Plain
    from tflite_compress.passes.base import Context
    from tflite_compress.passes.int4 import Int4


def choose_rounding(
    plain: Plain,
    names: Iterable[str],
    operators: Collection[str],
    config: Int4,
    model: FloatModel,
    context: Context,
) -> FloatModel:
    """Return the model with the rounding whose file is significantly closer to the float network.

    Args:
        plain: The float32 file of the model.
        names: Layers with 4-bit weights in all files that are compared.
        operators: Operators of these layers that have 4-bit weights, as in ``schema.fbs``.
        config: Settings of the conversion.
        model: The model of the file.
        context: Samples to compare files on.

    Returns:
        The model with another rounding and a note with figures; the given one if rounding to nearest stays.

    Raises:
        ConversionError: litert-quantizer cannot round to nearest.
    """
    from tflite_compress.data.gather import RANDOM_ORIGIN
    from tflite_compress.passes.mixed import quantized_file

    possible = possible_roundings(plain, operators)
    if context.reference.splits.train.origin == RANDOM_ORIGIN or len(possible) == 1:
        return model
    samples = compared_samples(context)
    four: LayerType = "int4"
    types = {**model.fact(LayerTypes).by_layer, **dict.fromkeys(names, four)}

    def agreement(rounding: WeightRounding) -> np.ndarray:
        changed = model.with_fact(FourBitRounding(rounding))
        content = quantized_file(plain, types, config, changed).content
        network = model.network
        return samples.agreement(network.joined(predict(content, samples.inputs, *network.tensor_names)))

    nearest = agreement("nearest")
    found: dict[WeightRounding, np.ndarray] = {}
    for rounding in possible[1:]:
        try:
            found[rounding] = agreement(rounding)
        except ConversionError:
            continue  # it is one of several, and rounding to nearest remains
    if not found:
        return model
    best = max(found, key=lambda rounding: float(found[rounding].mean()))
    if not compare_agreement(nearest, found[best], len(found)).is_significant:
        return model
    after, before = (format_share(1 - float(values.mean())) for values in (found[best], nearest))
    text = (
        f"4-bit weights rounded: {describe_rounding(best, operators)}; outputs differ from the float model's "
        f"by {after} on {len(nearest):,} samples, with all weights rounded to nearest by {before}"
    )
    return model.with_fact(FourBitRounding(best)).noting(Note("rounding-chosen", text))
