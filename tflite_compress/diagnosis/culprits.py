"""Rank the layers by the noise that quantization adds, with the likely reason and a remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tflite_compress.inspection.layer_errors import Layer

CLIPPED = 0.005
POOR_DB = 20.0
SPREAD = 8.0
MAX_CULPRITS = 10


@dataclass(frozen=True)
class Culprit:
    """A layer that reduces accuracy.

    Attributes:
        layer: Name of the layer.
        share: Its share of the noise that all layers add.
        why: The likely reason.
        do: What to do.
    """

    layer: str
    share: float
    why: str
    do: str


def find_culprits(layers: list[Layer]) -> list[Culprit]:
    """Return the layers that add most noise, worst first, each with its most likely reason."""
    total = sum(layer.added_noise for layer in layers) or 1.0
    by_name = {layer.name: layer for layer in layers}
    ranked = sorted(layers, key=lambda layer: -layer.added_noise)
    found = []
    for layer in ranked[:MAX_CULPRITS]:
        if layer.added_noise <= 0 or layer.added_noise / total < 0.02:
            continue
        why, do = explain(layer, [by_name[name] for name in layer.inputs if name in by_name])
        found.append(Culprit(layer.name, layer.added_noise / total, why, do))
    return found


def explain(layer: Layer, sources: Sequence[Layer] = ()) -> tuple[str, str]:
    """Return why a layer adds noise, and what to do.

    Args:
        layer: The layer.
        sources: The layers it reads.
    """
    if layer.clipped > CLIPPED:
        return (
            f"{layer.clipped:.1%} of its values are clipped: they reach {layer.low:.3g} to {layer.high:.3g}, "
            f"its scale holds {layer.range_low:.3g} to {layer.range_high:.3g}",
            "Calibrate on more, and more representative, samples: --calibrate=.",
        )
    poor_weights = layer.weights_snr_db is not None and layer.weights_snr_db < POOR_DB
    if poor_weights and not layer.per_channel and layer.weight_spread > SPREAD:
        return (
            "one scale for all its weights, and the widest channel is "
            f"{layer.weight_spread:.0f} times as wide as the median one",
            "Give each channel a scale (--per-channel), or bring the channels to one range: pass 'equalize'.",
        )
    if (outliers := _outliers(layer, sources)) is not None:
        return outliers
    if poor_weights:
        return (
            f"its weights keep only {layer.weights_snr_db:.0f} dB",
            "Use the pass 'bias_correct', or leave the layer out of pruning and clustering.",
        )
    if layer.own_snr_db < POOR_DB:
        return (
            f"256 steps are too few for its range {layer.low:.3g} to {layer.high:.3g} "
            f"({layer.own_snr_db:.0f} dB)",
            "Use int16 activations: --precision=int16x8.",
        )
    return (
        "rounding of its inputs, weights and output adds up",
        "int16 activations (--precision=int16x8) help, if the accuracy is not kept.",
    )


def _outliers(layer: Layer, sources: Sequence[Layer]) -> tuple[str, str] | None:
    """Return the reason and advice if a few channels set the range of what a layer reads or gives."""
    for source in sources:
        if source.outlier_channels and source.channel_db < POOR_DB:
            return (
                f"it reads {source.name}, whose range is set by {len(source.outlier_channels)} channels: the "
                f"median one keeps {source.channel_db:.0f} dB",
                "Use the pass 'equalize', or int16 activations: --precision=int16x8.",
            )
    if layer.outlier_channels and layer.channel_db < POOR_DB:
        named = ", ".join(map(str, layer.outlier_channels[:4]))
        return (
            f"its range is set by {len(layer.outlier_channels)} channels (number {named}): the others get "
            "few steps",
            "Use the pass 'equalize', or int16 activations: --precision=int16x8.",
        )
    return None
