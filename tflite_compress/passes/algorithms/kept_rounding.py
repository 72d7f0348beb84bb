"""Learned rounding that is kept if it helps; see passes ``adaround`` and ``block_round``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from tflite_compress.models.keras_types import KerasModel
from tflite_compress.passes.algorithms.learned_rounding import bits_to_round
from tflite_compress.passes.algorithms.quality import keep_if_better, with_handle
from tflite_compress.passes.values import FloatModel, FourBitRounding, LayerTypes
from tflite_compress.support.notes import Note, named

if TYPE_CHECKING:
    from tflite_compress.conversion import LayerType
    from tflite_compress.models.network import Network
    from tflite_compress.passes.base import Context
    from tflite_compress.passes.repair import Repair

Round = Callable[[KerasModel, KerasModel, Mapping[str, int]], None]


def keep_rounding(
    config: Repair,
    model: FloatModel,
    context: Context,
    round_layers: Round,
    judging: Context | None = None,
    rounds_shared: bool = True,
) -> FloatModel:
    """Return the model with learned rounding, or the given one with a note if that is not better.

    Args:
        config: The repair.
        model: A model with a network; unchanged.
        context: Calibration samples, seed and progress. What was learned once from a network is shared.
        round_layers: Gets the float network without BatchNorm, a copy of it, and the bits of each layer to
            round by name, and rounds those of the copy.
        judging: A context whose calibration samples judge; None for those of ``context``.
        rounds_shared: Also round layers that are used more than once.
    """
    name, network, types = config.tag(), model.network, model.fact(LayerTypes).by_layer
    if not network.editable:
        return model.noting(Note("pass-left-out", f"{name} left out: {network.why_not_editable}"))
    changed, others = context.shared.once(
        name,
        network,
        (msgspec.structs.replace(config, precision="auto"), context.seed, tuple(types.items())),
        lambda: _rounded(model, types, round_layers, rounds_shared),
        lambda: not context.budget.is_used,
    )
    if changed is None:
        return model.noting(Note("pass-left-out", f"{name} left out: no layer can be rounded"))
    # Learned weights are multiples of the scales of rounding to nearest.
    rounded = replace(model, network=changed).with_fact(FourBitRounding())
    done = keep_if_better(name, model, rounded, config, context, judging)
    return done.noting(Note("rounded-to-nearest", f"rounded to nearest: {named(others)}")) if others else done


def _rounded(
    model: FloatModel, types: Mapping[str, LayerType], round_layers: Round, rounds_shared: bool
) -> tuple[Network | None, list[str]]:
    """Return the network with rounded weights, or None, and the layers that are rounded to nearest."""
    from tflite_compress.passes.algorithms.fold import without_batchnorm

    plain, work = without_batchnorm(model.network.handle), without_batchnorm(model.network.handle)
    bits = bits_to_round(work, types, rounds_shared)
    if not bits:
        return None, []
    round_layers(plain, work, bits)
    others = [layer.name for layer in work.layers if layer.trainable_weights and layer.name not in bits]
    return with_handle(model, work).network, others
