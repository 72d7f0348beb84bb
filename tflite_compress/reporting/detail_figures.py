"""Figures of the report that are shown in detail: layers, operators, histograms, images."""

from __future__ import annotations

import msgspec

from tflite_compress.support.notes import Note

COMPARED_SAMPLES = 16  # evaluation samples whose activations are compared


class LayerBytes(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one layer's weights in the baseline and in the result; 0 where it has none."""

    layer: str
    before: int
    after: int


class OperatorRow(msgspec.Struct, frozen=True, kw_only=True):
    """Time of one operator.

    Attributes:
        operator: Name as in TFLite's schema.
        layer: Keras layer it came from.
        ms: Median time in ms.
        is_above_noise: False where the time is below the measurement noise.
        macs: Multiply-accumulates; None where the file does not tell.
        gmacs_per_s: Throughput; None where it is unknown.
        index: Index in the order of execution; of the last one of several that were timed together.
    """

    operator: str
    layer: str
    ms: float
    is_above_noise: bool
    macs: int | None
    gmacs_per_s: float | None
    index: int | None = None


class NetworkOperator(msgspec.Struct, frozen=True, kw_only=True):
    """One operator of the network graph.

    Attributes:
        index: Index in the order of execution in the file.
        operator: Name as in TFLite's schema.
        layer: Layer it came from; None if the file does not tell.
        type: Type of its first output; None if it has none.
        weight_type: Type of its weights in the file; None if it has none.
        shape: Shape of its first output.
        other_shapes: Shapes of its other outputs that differ from the first.
        bytes: Bytes of its weights in the file.
        macs: Multiply-accumulates; None if they cannot be counted.
        ms: Median time in ms; None if it was not timed alone or is below the noise.
        added_noise: Noise power that quantization adds, relative to the output; None if it was not measured.
        inputs: Places in the graph of the operators it reads.
        unpacks: Number of operators that only unpack its constants. They are not in the graph.
    """

    index: int
    operator: str
    layer: str | None
    type: str | None
    weight_type: str | None
    shape: tuple[int, ...]
    bytes: int
    macs: int | None
    ms: float | None
    added_noise: float | None
    inputs: tuple[int, ...]
    other_shapes: tuple[tuple[int, ...], ...] = ()
    unpacks: int = 0


class OperatorTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Times of a file's operators on the machine that ran the tool.

    Attributes:
        method: How they were measured.
        source: On which machine.
        total_ms: Median time of the whole model in ms.
        rows: The operators, in order of execution.
    """

    method: str
    source: str
    total_ms: float
    rows: tuple[OperatorRow, ...]


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of two sets of values over the same bins from ``low`` to ``high``."""

    low: float
    high: float
    before: tuple[float, ...]
    after: tuple[float, ...]


class WorstLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer that quantization changes most.

    Attributes:
        layer: Its name.
        operator: Its operator.
        snr_db: Signal-to-noise ratio of its output in dB.
        added_noise: Noise it adds itself, relative to its output.
        clipped: Share of its values outside the integers' range.
        range: Lowest and highest value the integers hold; None if it is not quantized.
        activations: Histogram of its output.
        weights: Histogram of its weights; None if it has none.
    """

    layer: str
    operator: str
    snr_db: float
    added_noise: float
    clipped: float
    range: tuple[float, float] | None
    activations: Histogram
    weights: Histogram | None


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """A predicted class with its probability or logit."""

    label: str
    value: float


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation image with both models' predictions.

    Attributes:
        sample: Index of the evaluation sample.
        png: The image as a ``data:`` address.
        label: Its label; None without labels.
        before: Prediction of the original.
        after: Prediction of the result.
        is_changed: True if the predictions differ.
    """

    sample: int
    png: str
    label: str | None
    before: Prediction
    after: Prediction
    is_changed: bool


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Confusion matrices on the evaluation samples.

    Attributes:
        names: Names of the classes.
        before: Predictions of the original: one row per label, one column per predicted class.
        after: Predictions of the result.
    """

    names: tuple[str, ...]
    before: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, ...], ...]


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows besides figures.

    Attributes:
        layers: Bytes of weights by layer.
        operator_times: Times of operators; None where they could not be measured.
        worst_layers: Layers that quantization changes most.
        pictures: Evaluation images.
        classes: Confusion matrices; None where outputs are no classes.
        missing: What could not be found, with the reason.
        graph: Operators of the file's main graph, in order of execution.
    """

    layers: tuple[LayerBytes, ...]
    operator_times: OperatorTimes | None
    worst_layers: tuple[WorstLayer, ...]
    pictures: tuple[Picture, ...]
    missing: tuple[Note, ...]
    classes: ClassFigures | None = None
    graph: tuple[NetworkOperator, ...] = ()
