"""Rank the layers that float16 harms: those beyond its range first, then those that lose most by rounding."""

from __future__ import annotations

from collections.abc import Sequence

from tflite_compress.diagnosis.culprits import MAX_CULPRITS, Culprit
from tflite_compress.inspection.float16_peaks import FLOAT16_MAX, Peaks, layers_of
from tflite_compress.inspection.layer_errors import Layer
from tflite_compress.tflite.layer_names import LayerTable

MIN_SHARE = 0.02
_REPAIR = "Use --recipe=repair-float16, which scales it by a power of two."
_ROUNDING = (
    "No recipe repairs rounding in float16. If the accuracy is not kept, run the model on the CPU: "
    "--device=android-cpu."
)


def find_float16_culprits(
    content: bytes, peaks: Peaks, layers: Sequence[Layer], table: LayerTable
) -> list[Culprit]:
    """Return the layers that float16 harms, with the reason and a remedy.

    Args:
        content: The float file.
        peaks: Its largest values and sums.
        layers: Its layers in float16.
        table: The layers of the Keras model it was made from.
    """
    total = sum(layer.added_noise for layer in layers) or 1.0
    shares: dict[str, float] = {}
    for layer in layers:
        shares[layer.name] = shares.get(layer.name, 0.0) + layer.added_noise / total
    reach: dict[str, float] = {}
    for index in peaks.values:
        if peaks.of(index) > FLOAT16_MAX:
            for name in layers_of(content, (index,), table):
                reach[name] = max(reach.get(name, 0.0), peaks.of(index))
    beyond = [Culprit(name, shares.get(name, 0.0), _reaches(most), _REPAIR) for name, most in reach.items()]
    ranked = sorted(layers, key=lambda layer: -layer.added_noise)
    rounded = [
        Culprit(layer.name, layer.added_noise / total, _loses(layer), _ROUNDING)
        for layer in ranked
        if layer.name not in reach and layer.added_noise / total >= MIN_SHARE
    ]
    return [*beyond, *rounded][:MAX_CULPRITS]


def _reaches(most: float) -> str:
    rounded = f"{float(f'{most:.3g}'):,.0f}"
    return f"its values or sums reach {rounded} on the calibration samples; float16 holds 65,504"


def _loses(layer: Layer) -> str:
    return (
        f"rounding in float16: its output keeps {layer.snr_db:.0f} dB, values from {layer.low:.3g} to "
        f"{layer.high:.3g}"
    )
