"""How many MACs may remain for a latency: measured on this machine, since MACs are only half the story."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_compress.channels.cost import Costs
from tflite_compress.channels.dependencies import Dependencies
from tflite_compress.channels.rebuild import without_channels
from tflite_compress.channels.select import choose

if TYPE_CHECKING:
    from tflite_compress.passes.base import Context
    from tflite_compress.passes.convert import Precision

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
    context: Context,
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
        context: Gives calibration samples.

    Returns:
        Share of MACs; the lowest tried where even that is slower than wanted.
    """
    whole = _file(handle, precision, context)
    full = costs.total("macs", costs.sizes.astype(float))
    low, high = 0.02, 1.0
    with context.progress.step("measuring latency of smaller models", STEPS) as advance:
        for _ in range(STEPS):
            middle = (low * high) ** 0.5
            keep = choose(costs, saliency, {"macs": middle * full}, multiple, dependencies.count)
            smaller = _file(without_channels(handle, dependencies, keep), precision, context)
            low, high = (middle, high) if _ratio(whole, smaller, context) <= ratio else (low, middle)
            advance(1)
    return low


def _file(handle: Any, precision: Precision, context: Context) -> tuple[bytes, tuple[tuple[str, ...], ...]]:
    """The model as ``.tflite``, and the names of its ports."""
    from tflite_compress.models.network import keras_network
    from tflite_compress.passes.convert import Convert, convert

    network = keras_network(handle, "candidate", True)
    samples = tuple(x[:CALIBRATION] for x in context.reference.splits.calibrate.inputs)
    content, _ = convert(network, Convert(precision=precision, io="float32"), samples, lambda count: None)
    return content, network.tensor_names


def _ratio(whole: Any, smaller: Any, context: Context) -> float:
    from tflite_compress.runtimes.litert import LiteRTModel
    from tflite_compress.timing.paired import measure_alternately

    models = []
    for content, ports in (whole, smaller):
        model = LiteRTModel(content, *ports)
        model.set_inputs(tuple(x[:1] for x in context.reference.splits.calibrate.inputs))
        models.append(model)
    before, after = measure_alternately(models, SECONDS)
    return after.median_ms / before.median_ms
