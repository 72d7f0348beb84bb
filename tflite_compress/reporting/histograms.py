"""Histograms of weights and activations of the most quantization-sensitive layers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tflite_compress.inspection.layer_errors import compare_layers
from tflite_compress.models.network import Network
from tflite_compress.reporting.detail_figures import COMPARED_SAMPLES, Histogram, WorstLayer
from tflite_compress.runtimes.all_tensors import LoadedModel, LoadedOperator

WORST = 3
BINS = 48


@dataclass(frozen=True)
class LayerErrors:
    """What quantization does to layers.

    Attributes:
        worst: At most three layers, worst first.
        added_noise: Noise power that each layer adds, relative to its output, by layer and operator.
    """

    worst: tuple[WorstLayer, ...] = ()
    added_noise: dict[tuple[str, str], float] = field(default_factory=dict)


def measure_layer_errors(
    network: Network, plain: bytes, quantized: bytes, samples: tuple[np.ndarray, ...]
) -> LayerErrors:
    """Measure the noise that layers add, with histograms of the values of the worst.

    Args:
        network: The network the file was made from, unrolled as for quantization.
        plain: That network as float32 file.
        quantized: The file as the converter wrote it, with its own tensor names.
        samples: Real inputs, one array for each input, shape (samples, ...).
    """
    from tflite_compress.models.layer_table import layer_table

    few = tuple(x[:COMPARED_SAMPLES] for x in samples)
    names, table = network.tensor_names[0], layer_table(network)
    compared = compare_layers(plain, quantized, few, names, table)
    layers = sorted(compared, key=lambda a: -a.added_noise)[:WORST]
    if not layers:
        return LayerErrors()
    float_model, integer_model = LoadedModel(plain, table), LoadedModel(quantized, table)
    operators = [op for op in float_model.operators if op.name in integer_model.of_name]
    pairs = {(op.layer, op.kind): op for op in operators}
    wanted = [(la, pairs[la.name, la.operator]) for la in layers if (la.name, la.operator) in pairs]
    values = _values(float_model, integer_model, [op for _, op in wanted], few, names)
    worst = tuple(
        WorstLayer(
            layer=layer.name,
            operator=layer.operator,
            snr_db=layer.snr_db,
            added_noise=layer.added_noise,
            clipped=layer.clipped,
            range=None
            if layer.range_low is None or layer.range_high is None
            else (layer.range_low, layer.range_high),
            activations=histogram(*pair),
            weights=_weights(float_model, integer_model, op),
        )
        for (layer, op), pair in zip(wanted, values, strict=True)
    )
    return LayerErrors(worst, {(la.name, la.operator): la.added_noise for la in compared})


def histogram(before: np.ndarray, after: np.ndarray) -> Histogram:
    """Count two sets of values over the same bins, as shares of each set.

    Args:
        before: Float values.
        after: Quantized ones as real numbers.
    """
    low = float(min(before.min(), after.min()))
    high = float(max(before.max(), after.max()))
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(x, edges)[0] / x.size for x in (before, after)]
    return Histogram(low=low, high=high, before=tuple(shares[0].tolist()), after=tuple(shares[1].tolist()))


def _values(
    plain: LoadedModel,
    quantized: LoadedModel,
    operators: list[LoadedOperator],
    samples: tuple[np.ndarray, ...],
    names: tuple[str, ...],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Outputs of operators over all samples, float and quantized."""
    found: list[tuple[list[np.ndarray], list[np.ndarray]]] = [([], []) for _ in operators]
    for index in range(len(samples[0])):
        sample = tuple(x[index : index + 1] for x in samples)
        plain.run(sample, names)
        quantized.run(sample, names)
        for op, (before, after) in zip(operators, found, strict=True):
            before.append(plain.value(op.output).reshape(-1))
            after.append(quantized.value(quantized.computing(op.name).output).reshape(-1))
    return [(np.concatenate(before), np.concatenate(after)) for before, after in found]


def _weights(plain: LoadedModel, quantized: LoadedModel, op: LoadedOperator) -> Histogram | None:
    real, found = plain.weights(op), quantized.weights(quantized.computing(op.name))
    return None if real is None or found is None else histogram(real[0].reshape(-1), found[0].reshape(-1))
