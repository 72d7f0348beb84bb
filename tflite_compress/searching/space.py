"""The search space: its parameters, the recipe of a point, and the points to try first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tflite_compress.passes import PassConfig
from tflite_compress.passes.adaround import AdaRound
from tflite_compress.passes.bias_correct import BiasCorrect
from tflite_compress.passes.calibration import Calibration
from tflite_compress.passes.cluster import Cluster
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.encode import Encode
from tflite_compress.passes.equalize import Equalize
from tflite_compress.passes.int4 import Int4
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.prune_channels import PruneChannels
from tflite_compress.passes.slim import Slim
from tflite_compress.passes.training import Training
from tflite_compress.pipeline.plan import settled
from tflite_compress.pipeline.recipes import Recipe
from tflite_compress.profiles.devices import Device
from tflite_compress.searching.records import Values

Trial = Any  # an Optuna trial

MAX_WIDTHS = 8  # groups of layers with a width parameter each; the rest share one
MAX_NARROW = 8  # layers with a parameter for 4 or 8 bits each; the rest share one
NARROWEST, WIDTH_STEP = 0.125, 0.125
CLUSTERS = (0, 8, 16, 32)
SPARSITIES = (0.0, 0.5, 0.65, 0.8)
REST = "the rest"


@dataclass(frozen=True)
class Width:
    """Layers whose channels are removed together, or in the same proportion.

    Attributes:
        name: Name of the parameter.
        layers: The layers that produce the channels.
        starts: Share of channels kept at each of ``Space.targets``, from ranking the channels by saliency.
    """

    name: str
    layers: tuple[str, ...]
    starts: tuple[float, ...]


@dataclass(frozen=True)
class Narrow:
    """Layers whose weights may have 4 bits.

    Attributes:
        name: Name of the parameter.
        layers: The layers.
        noise: Noise in the outputs from 4 bits in these layers alone, relative to their power, per weight.
    """

    name: str
    layers: tuple[str, ...]
    noise: float


@dataclass(frozen=True)
class Space:
    """The parameters of a search and the sensitivity of each part.

    Attributes:
        device: The target device.
        widths: Channels that can be removed; empty if there are none.
        narrow: Layers that can have 4-bit weights, the least sensitive first; empty without kernels for them.
        targets: Shares of the weights at which ``Width.starts`` are given.
        shares: True if clustering and pruning make the file smaller.
        encodes: True if the runtime decodes weights.
        precisions: Precisions of the whole model, the device's fastest first.
    """

    device: Device
    widths: tuple[Width, ...]
    narrow: tuple[Narrow, ...]
    targets: tuple[float, ...]
    shares: bool
    encodes: bool
    precisions: tuple[str, ...]


@dataclass(frozen=True)
class Effort:
    """The work of one stage.

    Attributes:
        steps: Training steps for points that need training.
        repairs: True for repairs of integer types, and learned rounding of 4-bit weights.
    """

    steps: int
    repairs: bool


def suggest(trial: Trial, space: Space) -> Values:
    """Draw a point with Optuna.

    Args:
        trial: An Optuna trial.
        space: The search space.
    """
    values: Values = {}

    def one_of(name: str, choices: tuple[float | str, ...]) -> float | str:
        values[name] = trial.suggest_categorical(name, choices)
        drawn: float | str = values[name]
        return drawn

    for width in space.widths:
        name = f"keep:{width.name}"
        values[name] = trial.suggest_float(name, NARROWEST, 1.0, step=WIDTH_STEP)
    precision = one_of("precision", space.precisions) if len(space.precisions) > 1 else space.precisions[0]
    if space.shares and one_of("clusters", CLUSTERS):
        one_of("sparsity", SPARSITIES)
    elif precision == "int8":
        for narrow in space.narrow:
            one_of(f"bits:{narrow.name}", (8, 4))
    return values


def starting_points(space: Space) -> list[Values]:
    """Return the points to try first: widths by saliency, 4 bits in the least sensitive layers."""
    found: list[Values] = []
    precision = {"precision": space.precisions[0]} if len(space.precisions) > 1 else {}
    everything = len(space.narrow)
    shallow = [*range(len(space.targets))] if space.widths else [0]
    for index in shallow:
        keep = {f"keep:{w.name}": w.starts[index] if space.targets[index] < 1 else 1.0 for w in space.widths}
        base = {**keep, **precision}
        plain = {**base, "clusters": 0} if space.shares else base
        counts = (
            (0,) if space.precisions[0] != "int8" else tuple(dict.fromkeys((0, everything, everything // 2)))
        )
        for four in counts:
            bits = {f"bits:{n.name}": 4 if i < four else 8 for i, n in enumerate(space.narrow)}
            found.append({**plain, **bits})
        if space.shares:
            found.append({**base, "clusters": 16, "sparsity": 0.0})
            found.append({**base, "clusters": 16, "sparsity": 0.65})
    return found


def needs_training(values: Values) -> bool:
    """Return True for a point whose network changes, so that it needs training."""
    kept = any(v < 1 for k, v in values.items() if k.startswith("keep:"))
    return bool(kept or values.get("clusters") or values.get("sparsity"))


def stages_of(values: Values, efforts: tuple[Effort, ...]) -> tuple[Effort, ...]:
    """Return the efforts of a point's stages; a point without training has only repairs."""
    if needs_training(values):
        return efforts
    return (Effort(0, False), Effort(0, True))


def recipe_of(values: Values, space: Space, effort: Effort, name: str) -> Recipe:
    """Return the recipe of a point, resolved for the device.

    Args:
        values: The point.
        space: The search space.
        effort: Effort of the stage.
        name: Name of the recipe.
    """
    precision = values.get("precision", space.precisions[0])
    four = [layer for n in space.narrow if values.get(f"bits:{n.name}") == 4 for layer in n.layers]
    passes: list[PassConfig] = [*_trained(values, space, effort.steps)]
    if four:
        others = (layer for n in space.narrow for layer in n.layers if layer not in four)
        passes.append(Int4(max_calibration_drop=1.0, exclude=tuple(_exactly(layer) for layer in others)))
    if effort.repairs and precision == "int8" and not values.get("clusters"):
        passes += [AdaRound(), BiasCorrect()] if four else [Equalize(), Calibration(), BiasCorrect()]
    passes += [Convert(precision=precision), Slim(slim="full" if space.encodes else "safe")]
    if space.encodes and not four:
        passes.append(Encode())
    return settled(Recipe(name=name, summary="found by search", passes=tuple(passes)), space.device)


def _trained(values: Values, space: Space, steps: int) -> list[PassConfig]:
    """Return the passes that change the network, each with its share of the training steps."""
    passes: list[PassConfig] = []
    keep = tuple(
        f"{_exactly(layer)}={values[f'keep:{w.name}']:g}"
        for w in space.widths
        for layer in w.layers
        if values[f"keep:{w.name}"] < 1
    )
    clusters, sparsity = values.get("clusters", 0), values.get("sparsity", 0.0)
    count = sum((bool(keep), bool(clusters), sparsity > 0))
    part = steps // max(1, count)
    if keep:
        once: Any = {"rounds": 1, "recovery_steps": 0, "reconstruct": not part}
        passes.append(PruneChannels(keep=keep, training=_steps(part), **once))
    if sparsity > 0:
        when: Any = {"schedule": "constant"} if part < 100 else {}
        passes.append(Prune(sparsity=sparsity, training=_steps(max(1, part)), **when))
    if clusters:
        tuned = Cluster(clusters=clusters, preserve_sparsity=sparsity > 0, training=_steps(max(1, part)))
        passes.append(tuned)
    return passes


def _steps(count: int) -> Training:
    return Training(epochs=0, min_steps=count)


def _exactly(layer: str) -> str:
    return f"^{re.escape(layer)}$"
