"""Find the share of MACs that reaches a latency, by measuring smaller models on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.channels.cost import Costs
from tflite_compress.channels.dependencies import Dependencies
from tflite_compress.channels.rebuild import without_channels
from tflite_compress.channels.select import choose

if TYPE_CHECKING:
    from tflite_compress.models.keras_types import KerasModel
    from tflite_compress.profiles.devices import Precision
    from tflite_compress.support.progress import Progress

Samples = tuple[np.ndarray, ...]
File = tuple[bytes, tuple[tuple[str, ...], tuple[str, ...]]]  # a .tflite, names of its inputs and outputs
STEPS = 5
SECONDS = 0.5
CALIBRATION = 16


def macs_for_latency(
    handle: KerasModel,
    dependencies: Dependencies,
    costs: Costs,
    saliency: np.ndarray,
    ratio: float,
    multiple: int,
    precision: Precision,
    samples: Samples,
    progress: Progress,
) -> float:
    """Return the share of MACs at which a pruned model takes ``ratio`` of the original latency.

    The share is found by bisection. Each candidate is pruned, converted and timed interleaved with the
    original model. Latency does not depend on the values of the weights, so candidates are not trained.

    Args:
        handle: The original tf_keras model.
        dependencies: Its groups of channels.
        costs: Its costs.
        saliency: float, shape (groups,): saliency of each group.
        ratio: Target latency as a share of the original latency.
        multiple: Layers keep a multiple of this many channels.
        precision: The precision to convert to.
        samples: Calibration inputs, one array per input, samples first.
        progress: Receives the progress.

    Returns:
        Share of MACs between 0.02 and 1; the smallest share tried if no candidate is fast enough.
    """
    whole = _file(handle, precision, samples)
    full = costs.total("macs", costs.sizes.astype(float))
    low, high = 0.02, 1.0
    with progress.step("measuring latency of smaller models", STEPS) as advance:
        for _ in range(STEPS):
            middle = (low * high) ** 0.5
            keep = choose(costs, saliency, {"macs": middle * full}, multiple, dependencies.count)
            smaller = _file(without_channels(handle, dependencies, keep), precision, samples)
            low, high = (middle, high) if _ratio(whole, smaller, samples) <= ratio else (low, middle)
            advance(1)
    return low


def _file(handle: KerasModel, precision: Precision, samples: Samples) -> File:
    """Return the model as ``.tflite``, and the names of its inputs and outputs."""
    from tflite_compress.conversion.converter import ConverterSettings, convert_network
    from tflite_compress.models.network import keras_network

    network = keras_network(handle, "candidate", True)
    few = tuple(x[:CALIBRATION] for x in samples)
    content, _ = convert_network(network, ConverterSettings(precision=precision), few, lambda count: None)
    return content, network.tensor_names


def _ratio(whole: File, smaller: File, samples: Samples) -> float:
    from tflite_compress.runtimes.litert import LiteRTModel
    from tflite_compress.timing.paired import measure_alternately

    models = []
    for content, (inputs, outputs) in (whole, smaller):
        model = LiteRTModel(content, inputs, outputs)
        model.set_inputs(tuple(x[:1] for x in samples))
        models.append(model)
    before, after = measure_alternately(models, SECONDS)
    return after.median_ms / before.median_ms
