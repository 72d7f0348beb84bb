"""Compare each layer of a quantized file with the same layer of the float file.

Both files come from one trace, so tensors of the same name correspond. Both run on each sample, and only sums
are stored, so memory does not grow with the data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from tflite_compress.runtimes.all_tensors import LoadedModel, LoadedOperator
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget
from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.layer_names import NO_LAYERS, WEIGHTED, LayerTable, operator_layers

OUTLIER_FACTOR = 8.0
NOISELESS_DB = 120.0


@dataclass(frozen=True)
class Layer:
    """The effect of quantization on one layer.

    Attributes:
        name: The layer.
        operator: As in ``schema.fbs``.
        snr_db: Signal-to-noise ratio of its output against the float model's, all noise so far included.
        cosine: Cosine similarity of the same.
        own_snr_db: Signal-to-noise ratio if only this output were rounded and clipped.
        added_noise: Noise power relative to the signal, without the noise of its inputs.
        clipped: Share of the float values outside its range.
        low, high: Smallest and largest float value.
        range_low, range_high: What its scale and zero point can hold; None in float.
        weights_snr_db, weights_cosine: The same for its weights; None where it has none.
        per_channel: Its weights have a scale for each output channel.
        inputs: Layers it reads.
        channel_db: Signal-to-noise ratio the median channel of its output keeps when rounded.
        outlier_channels: Channels of its output over eight times as wide as the median one.
        weight_spread: Widest over median channel of its weights.
    """

    name: str
    operator: str
    snr_db: float
    cosine: float
    own_snr_db: float
    added_noise: float
    clipped: float
    low: float
    high: float
    range_low: float | None
    range_high: float | None
    weights_snr_db: float | None
    weights_cosine: float | None
    per_channel: bool
    inputs: tuple[str, ...]
    channel_db: float
    outlier_channels: tuple[int, ...]
    weight_spread: float


class WeightFigures(TypedDict):
    """The fields of :class:`Layer` about its weights."""

    weights_snr_db: float | None
    weights_cosine: float | None
    per_channel: bool
    weight_spread: float


@dataclass
class Sums:
    """Running sums of one tensor pair."""

    signal: float = 0.0
    noise: float = 0.0
    own_noise: float = 0.0
    dot: float = 0.0
    norm: float = 0.0
    clipped: int = 0
    count: int = 0
    low: float = np.inf
    high: float = -np.inf
    channels: np.ndarray = field(default_factory=lambda: np.zeros(0))  # widest value of each
    channel_signal: np.ndarray = field(default_factory=lambda: np.zeros(0))
    channel_noise: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def add(self, real: np.ndarray, found: np.ndarray, own: np.ndarray, bounds: tuple[float, float]) -> None:
        """Add one sample: float values, the quantized model's, and the float values as rounded here."""
        a, b = real.astype(np.float64).reshape(-1), found.astype(np.float64).reshape(-1)
        self.signal += float(a @ a)
        self.norm += float(b @ b)
        self.dot += float(a @ b)
        self.noise += float(np.sum((a - b) ** 2))
        self.own_noise += float(np.sum((a - own.astype(np.float64).reshape(-1)) ** 2))
        self.clipped += int(np.sum((a < bounds[0]) | (a > bounds[1])))
        self.count += a.size
        self.low, self.high = min(self.low, float(a.min())), max(self.high, float(a.max()))
        if real.ndim > 1:
            self._add_channels(*(x.astype(np.float64).reshape(-1, real.shape[-1]) for x in (real, own)))

    def _add_channels(self, real: np.ndarray, own: np.ndarray) -> None:
        if self.channels.size != real.shape[1]:
            self.channels, self.channel_signal, self.channel_noise = np.zeros((3, real.shape[1]))
        self.channels = np.maximum(self.channels, np.abs(real).max(axis=0))
        self.channel_signal = self.channel_signal + np.sum(real**2, axis=0)
        self.channel_noise = self.channel_noise + np.sum((real - own) ** 2, axis=0)


def compare_layers(
    plain: bytes,
    quantized: bytes,
    inputs: tuple[np.ndarray, ...],
    names: tuple[str, ...],
    layers: LayerTable = NO_LAYERS,
    budget: TimeBudget = NO_BUDGET,
) -> list[Layer]:
    """Compare a quantized file with the float one, layer by layer.

    Args:
        plain: The float32 ``.tflite`` with the converter's own tensor names.
        quantized: The quantized one from the same network.
        inputs: Real samples, one array for each input, shape (samples, ...).
        names: Signature names of the inputs, in that order.
        layers: The layers of the Keras model both were made from.
        budget: Time that is left. When it is used, the samples so far are compared, one at least.

    Returns:
        One entry for each operator that computes something, in order of execution.
    """
    reference, tested = LoadedModel(plain, layers), LoadedModel(quantized, layers)
    pairs = [(op, tested.computing(op.name)) for op in reference.operators if op.name in tested.of_name]
    sums = {op.name: Sums() for op, _ in pairs}
    for index in range(len(inputs[0])):
        if index and budget.is_used:
            budget.cut(f"layers compared on {index} of {len(inputs[0])} samples")
            break
        sample = tuple(x[index : index + 1] for x in inputs)
        reference.run(sample, names)
        tested.run(sample, names)
        for op, other in pairs:
            real, found = reference.value(op.output), tested.value(other.output)
            if real.shape == found.shape and real.size:
                own, bounds = tested.represented(other.output, real)
                sums[op.name].add(real, found, own, bounds)
    return [
        _layer(op, other, sums, reference, tested)
        for op, other in pairs
        if sums[op.name].count and other.computes
    ]


def _layer(
    op: LoadedOperator,
    other: LoadedOperator,
    sums: dict[str, Sums],
    reference: LoadedModel,
    tested: LoadedModel,
) -> Layer:
    found = sums[op.name]
    sources = [source for source in sources_of(op, reference) if source.name in sums]
    before = [sums[source.name] for source in sources]
    inherited = max((s.noise / s.signal for s in before if s.signal), default=0.0)
    relative = found.noise / found.signal if found.signal else 0.0
    bounds = tested.bounds(other.output)
    weights = _weights(op, other, reference, tested)
    median = float(np.median(found.channels)) if found.channels.size else 0.0
    outliers = np.flatnonzero(found.channels > OUTLIER_FACTOR * median) if median > 0 else np.zeros(0, int)
    norms = np.sqrt(found.signal * found.norm)
    return Layer(
        name=op.layer,
        operator=op.kind,
        snr_db=to_db(found.signal, found.noise),
        cosine=found.dot / norms if norms else 1.0,
        own_snr_db=to_db(found.signal, found.own_noise),
        added_noise=max(0.0, relative - inherited),
        clipped=found.clipped / found.count,
        low=found.low,
        high=found.high,
        range_low=None if bounds is None else bounds[0],
        range_high=None if bounds is None else bounds[1],
        inputs=tuple(source.layer for source in sources),
        channel_db=median_db(found),
        outlier_channels=tuple(int(i) for i in outliers),
        **weights,
    )


def median_db(sums: Sums) -> float:
    """Return the signal-to-noise ratio of the median channel, without all-zero channels."""
    pairs = zip(sums.channel_signal, sums.channel_noise, strict=True)
    found = [to_db(float(signal), float(noise)) for signal, noise in pairs if signal > 0]
    return float(np.median(found)) if found else NOISELESS_DB


def sources_of(op: LoadedOperator, model: LoadedModel) -> list[LoadedOperator]:
    """Return the operators that compute what an operator reads, skipping those that only move values."""
    by_output = {o.output: o for o in model.operators}
    found: list[LoadedOperator] = []
    for index in op.inputs:
        source = by_output.get(index)
        while source is not None and not source.computes and source.inputs:
            source = by_output.get(source.inputs[0])
        if source is not None:
            found.append(source)
    return found


def _weights(
    op: LoadedOperator, other: LoadedOperator, reference: LoadedModel, tested: LoadedModel
) -> WeightFigures:
    real, found = reference.weights(op), tested.weights(other)
    if real is None or found is None or real[0].shape != found[0].shape:
        return {"weights_snr_db": None, "weights_cosine": None, "per_channel": False, "weight_spread": 1.0}
    a, b = real[0].reshape(-1), found[0].reshape(-1)
    axis = WEIGHTED[op.kind]
    others = tuple(i for i in range(real[0].ndim) if i != axis)
    widths = np.abs(real[0]).max(axis=others)
    median = float(np.median(widths))
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return {
        "weights_snr_db": to_db(float(a @ a), float(np.sum((a - b) ** 2))),
        "weights_cosine": float(a @ b) / norms if norms else 1.0,
        "per_channel": found[1],
        "weight_spread": float(widths.max()) / median if median > 0 else 1.0,
    }


def to_db(signal: float, noise: float) -> float:
    """Return a ratio in dB, at most 120."""
    if signal <= 0 or noise <= 0:
        return NOISELESS_DB
    return min(NOISELESS_DB, 10 * float(np.log10(signal / noise)))


def unmatched(plain: bytes, quantized: bytes, layers: LayerTable = NO_LAYERS) -> tuple[str, ...]:
    """Return the layers of the float file without a counterpart, which are not compared."""
    made, others = (operator_layers(read_tree(content), layers) for content in (plain, quantized))
    return tuple(sorted({layer for name, layer in made.items() if name not in others}))
