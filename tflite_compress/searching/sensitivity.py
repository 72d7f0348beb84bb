"""Measure before the first trial how sensitive each part is to fewer channels and fewer bits."""

from __future__ import annotations

import numpy as np

from tflite_compress.passes import Context, FloatModel
from tflite_compress.profiles.devices import Device
from tflite_compress.searching.space import (
    MAX_NARROW,
    MAX_WIDTHS,
    NARROWEST,
    REST,
    WIDTH_STEP,
    Narrow,
    Space,
    Width,
)
from tflite_compress.support.errors import ConversionError, ModelError

TARGETS = (1.0, 0.6, 0.4, 0.25)
MIN_CHANNELS = 8


def measure_space(start: FloatModel, device: Device, objectives: tuple[str, ...], context: Context) -> Space:
    """Measure which parts of a model can be made smaller for a device, and how sensitive each is.

    Args:
        start: The original model.
        device: The target device.
        objectives: What to minimize; weights are clustered only if that makes a difference.
        context: Data and progress.
    """
    encodes = device.runtime.decodes_weights
    shares = (encodes or "gzip" in objectives) and start.network.editable
    order = {name: index for index, name in enumerate(device.precisions.fast)}
    precisions = sorted(device.precisions.supported, key=lambda name: order.get(name, len(order)))
    kept = tuple(n for n in precisions if n != "float32") or ("float32",)
    narrow = _narrow(start, device, context) if "int8" in kept else ()
    return Space(device, _widths(start, device, context), narrow, TARGETS, shares, encodes, kept)


def _widths(start: FloatModel, device: Device, context: Context) -> tuple[Width, ...]:
    """Return groups of channels, the largest as parameters of their own; empty if none can be removed."""
    from tflite_compress.channels.families import families
    from tflite_compress.channels.select import choose
    from tflite_compress.models.copying import copied
    from tflite_compress.passes.algorithms.channel_ranking import saliency_of
    from tflite_compress.passes.algorithms.traced_channels import traced
    from tflite_compress.passes.prune_channels import PruneChannels

    if not start.network.editable:
        return ()
    handle, config = copied(start.network.handle), PruneChannels()
    try:
        dependencies, costs = traced(handle, context, lambda name: False, config.precision)
    except ModelError:
        return ()
    saliency = saliency_of(handle, dependencies, config, context)
    full = costs.total("bytes", costs.sizes.astype(float))
    multiple = device.precisions.channel_multiple
    shares = []
    for target in TARGETS:
        keep = choose(costs, saliency, {"bytes": target * full}, multiple, dependencies.count)
        shares.append([float(keep[groups].mean()) for groups in costs.families])
    everything = costs.sizes.astype(float)
    saved = [costs.saving("bytes", everything, g, int(n // 2)) for g, n in enumerate(costs.sizes)]
    found = [g for g, family in enumerate(families(dependencies, costs)) if family.size >= MIN_CHANNELS]
    found = sorted((g for g in found if families(dependencies, costs)[g].layers), key=lambda g: -saved[g])
    named = families(dependencies, costs)
    widths = [
        Width(named[g].layers[0], named[g].layers, tuple(_on_grid(row[g]) for row in shares))
        for g in found[:MAX_WIDTHS]
    ]
    rest = found[MAX_WIDTHS:]
    if rest:
        layers = tuple(layer for g in rest for layer in named[g].layers)
        widths.append(
            Width(REST, layers, tuple(_on_grid(float(np.mean([r[g] for g in rest]))) for r in shares))
        )
    return tuple(widths)


def _on_grid(share: float) -> float:
    return float(np.clip(round(share / WIDTH_STEP) * WIDTH_STEP, NARROWEST, 1.0))


def _narrow(start: FloatModel, device: Device, context: Context) -> tuple[Narrow, ...]:
    """Return the layers that can have 4-bit weights, the least sensitive first."""
    from tflite_compress.conversion import FOUR_BIT
    from tflite_compress.passes.convert import plain_file
    from tflite_compress.passes.int4 import Int4, noise_of_layers

    able = {*device.runtime.four_bit} & {*FOUR_BIT}
    if not able:
        return ()
    try:
        with context.progress.step("measuring the noise of 4-bit weights per layer"):
            plain = plain_file(start, False, context)
            config = Int4(precision="int8", operators=tuple(sorted(able)))
            noise = noise_of_layers(plain, config, start, context)
    except ConversionError:
        return ()
    order = sorted(noise, key=lambda name: noise[name][0])
    large = sorted(noise, key=lambda name: -noise[name][1])[:MAX_NARROW]
    found = [Narrow(name, (name,), noise[name][0]) for name in order if name in large]
    rest = tuple(name for name in order if name not in large)
    if rest:
        found.append(Narrow(REST, rest, float(np.mean([noise[name][0] for name in rest]))))
    return tuple(sorted(found, key=lambda n: n.noise))


def as_json(space: Space) -> dict[str, object]:
    """Return the sensitivities as JSON values."""
    return {
        "channels": [
            {"layers": list(w.layers), "kept": dict(zip(map(str, space.targets), w.starts, strict=True))}
            for w in space.widths
        ],
        "four_bits": [{"layers": list(n.layers), "noise_a_weight": n.noise} for n in space.narrow],
        "numeric_types": list(space.precisions),
    }
