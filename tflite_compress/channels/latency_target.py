"""How many MACs may remain for a latency: measured on this machine, since MACs are only half the story."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_compress.channels.cost import Costs
from tflite_compress.channels.dependencies import Dependencies
from tflite_compress.channels.rebuild import without_channels
from tflite_compress.channels.select import choose

if TYPE_CHECKING:
    from tflite_compress.profiles.devices import Precision
    from tflite_compress.support.progress import Progress

Samples = tuple[np.ndarray, ...]
STEPS = 5
SECONDS = 0.5
CALIBRATION = 16


def macs_for_latency(
    handle: Any,
    dependencies: Dependencies,
    costs: Costs,
    saliency: np.ndarray,
    ratio: float,
    multiple: int,
    precision: Precision,
    samples: Samples,
    progress: Progress,
) -> float:
    """Find by bisection the share of MACs at which a model takes ``ratio`` of its latency.

    Each candidate is cut, converted and timed in turns with the whole model; latency does not depend on
    the values of the weights, so none is trained.

    Args:
        handle: The whole model.
        dependencies: Its channels.
        costs: What each channel costs.
        saliency: How much each channel matters, shape (channels,).
        ratio: Latency wanted, as a share of the whole model's.
        multiple: Layers keep a multiple of this many channels.
        precision: The type to convert to.
        samples: Calibration inputs, one array for each input.
        progress: Where to report progress.

    Returns:
        Share of MACs; the lowest tried where even that is slower than wanted.
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


def _file(handle: Any, precision: Precision, samples: Samples) -> tuple[bytes, tuple[tuple[str, ...], ...]]:
    """The model as ``.tflite``, and the names of its ports."""
    from tflite_compress.conversion.converter import ConverterSettings, convert_network
    from tflite_compress.models.network import keras_network

    network = keras_network(handle, "candidate", True)
    few = tuple(x[:CALIBRATION] for x in samples)
    content, _ = convert_network(network, ConverterSettings(precision=precision), few, lambda count: None)
    return content, network.tensor_names


def _ratio(whole: Any, smaller: Any, samples: Samples) -> float:
    from tflite_compress.runtimes.litert import LiteRTModel
    from tflite_compress.timing.paired import measure_alternately

    models = []
    for content, ports in (whole, smaller):
        model = LiteRTModel(content, *ports)
        model.set_inputs(tuple(x[:1] for x in samples))
        models.append(model)
    before, after = measure_alternately(models, SECONDS)
    return after.median_ms / before.median_ms
