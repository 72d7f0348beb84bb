"""Weight clustering: the weights of a layer share a few values, which an encoding indexes.

Han et al., "Deep Compression" (arXiv:1510.00149): prune, share weights, quantize, Huffman-code. Values are
shared by weights that are divided by the scale of their output channel, because a file has such scales: the
shared values become the same integers in all channels, and nothing is lost when the file is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from tflite_compress.passes.base import Context, Stage, editable_network, register
from tflite_compress.passes.layer_patterns import layer_patterns
from tflite_compress.passes.training import BatchNormMode, Training, TrainingPass
from tflite_compress.passes.values import Clusters, FloatModel
from tflite_compress.support.errors import ModelError
from tflite_compress.support.notes import Note, named

if TYPE_CHECKING:
    import numpy as np

    from tflite_compress.models.keras_types import KerasModel, Layer
    from tflite_compress.passes.algorithms.best_weights import Judge
    from tflite_compress.passes.algorithms.finetune import Schedule
    from tflite_compress.passes.algorithms.harm import HeldOut
    from tflite_compress.passes.algorithms.shared_values import SharedValues

MIN_WEIGHTS = 256  # a table for fewer saves nothing


@register
class Cluster(TrainingPass, frozen=True, tag="cluster"):
    """Let the weights of each layer share ``clusters`` values, and fine-tune the values.

    Attributes:
        clusters: Maximum number of distinct values in a layer's weights; 16 make 4-bit indices.
        bits: Bits per weight that a Huffman code may need at most, mean over all clustered layers. Values
            are chosen and used accordingly: small layers get more values than large ones, and 0 becomes
            frequent. Without it, values are those with the smallest error.
        preserve_sparsity: Weights that are zero stay zero.
        scales: ``channel``: values are shared by weights divided by the scale of their output channel,
            which int8 files have too. ``layer``: by the weights as they are, which ``qat`` can keep.
        batchnorm: ``trained``: BatchNorm learns and uses the statistics of batches. ``frozen``: it keeps its
            statistics. ``folded``: it becomes part of the layer before it. ``auto``: what comes closest to
            the original's outputs on held-out samples in short trials.
        exclude: Regular expressions; layers whose name matches one are left unchanged.
        training: How long and how fast the network is fine-tuned.
        reestimate_batchnorm: Average BatchNorm statistics anew afterwards, if that helps on held-out samples.
    """

    stage: ClassVar = Stage.TRAIN
    usual_training: ClassVar = Training(
        epochs=3, min_steps=400, batch_size=128, learning_rate=0.0005, distill=0.7
    )
    safer_values: ClassVar = {"clusters": max, "bits": max}

    clusters: Annotated[int, Meta(ge=3, le=128)] = 16
    bits: Annotated[float, Meta(ge=0.5, le=8)] | None = None
    preserve_sparsity: bool = True
    scales: Literal["channel", "layer"] = "channel"
    batchnorm: BatchNormMode | Literal["auto"] = "auto"
    exclude: tuple[str, ...] = ()
    reestimate_batchnorm: bool = True

    def summary(self) -> str:
        """Return the number of clusters in words, and the bits per weight if they are limited."""
        words = f"{self.clusters} clusters"
        return words if self.bits is None else f"{words} of {self.bits:g} bits"

    @property
    def allows_repairs(self) -> bool:
        """False: repairs scale channels one by one, which splits shared values."""
        return False

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Cluster, fine-tune by distillation, and write the shared values into a plain network.

        Args:
            model: A model with an editable network; unchanged.
            context: Data, teacher, seed and progress.

        Raises:
            ModelError: The network cannot be edited, or has no layer to cluster.
            ConfigError: A regular expression is wrong.
        """
        from tflite_compress.models.network import keras_network
        from tflite_compress.passes.algorithms.harm import hold_out, reestimate_if_better
        from tflite_compress.support.backend import seed_everything

        network = editable_network(model, "cluster")
        chosen, notes = _choose(self, network.handle)
        seed_everything(context.seed)
        held_out = hold_out(context)
        found, said = _trained(_Job(self, network.handle, chosen), held_out)
        notes += said
        if self.reestimate_batchnorm and (note := reestimate_if_better(found.handle, context, held_out)):
            notes.append(note)
        known = model.fact(Clusters)
        clusters = Clusters({**known.by_layer, **found.counts}, {**known.scales, **found.scales})
        clustered = keras_network(found.handle, network.name, True)
        return replace(model, network=clustered).with_fact(clusters).noting(*notes)


@dataclass(frozen=True, eq=False)
class _Job:
    """What is clustered: settings, the network, and the attribute of the weight of each chosen layer."""

    config: Cluster
    handle: KerasModel
    chosen: dict[str, str]


@dataclass(frozen=True)
class _Clustered:
    """A plain network with shared values.

    Attributes:
        handle: The tf_keras model.
        counts: Number of values, by layer.
        scales: See ``Clusters.scales``.
    """

    handle: KerasModel
    counts: dict[str, int]
    scales: dict[str, np.ndarray]


def _trained(job: _Job, held_out: HeldOut) -> tuple[_Clustered, list[Note]]:
    """Return a copy with the chosen layers clustered and fine-tuned, if that helps, and notes."""
    from tflite_compress.passes.algorithms.batchnorm_choice import choose_batchnorm
    from tflite_compress.passes.algorithms.best_weights import Judge
    from tflite_compress.passes.algorithms.finetune import Schedule

    schedule = Schedule.of(job.config.training)

    def trial(mode: BatchNormMode, short: Schedule) -> KerasModel:
        return _train(job, held_out.context, mode, short, None)[1].handle

    mode, chosen = choose_batchnorm(job.config.batchnorm, job.handle, schedule, held_out, trial)
    start, found, augmented = _train(job, held_out.context, mode, schedule, Judge(held_out))
    helps, judged = held_out.better("fine-tuning shared values", start.handle, found.handle)
    return found if helps else start, [*chosen, *augmented, judged]


def _train(
    job: _Job, context: Context, mode: BatchNormMode, schedule: Schedule, judge: Judge | None
) -> tuple[_Clustered, _Clustered, tuple[Note, ...]]:
    """Return the network with shared values before and after its training, and notes."""
    from tflite_compress.passes.algorithms.batchnorm_choice import freeze_batchnorm, prepared
    from tflite_compress.passes.algorithms.finetune import finetune

    plain = prepared(job.handle, mode)
    training = _with_shared_values(job, plain)
    freeze_batchnorm(training, mode)
    start = _stripped(job, plain, training)
    title = f"clustering to {job.config.clusters} values and fine-tuning"
    key = msgspec.json.encode([job.config, mode, schedule.min_steps]).decode()
    notes = finetune(training, context, schedule, title, key, judge=judge)
    return start, _stripped(job, plain, training), notes


def _with_shared_values(job: _Job, handle: KerasModel) -> KerasModel:
    """Return a copy of a network whose chosen layers compute with shared values."""
    from tflite_compress.models.copying import copied, rebuild
    from tflite_compress.passes.algorithms.shared_training import SharedLayer

    copy, config = copied(handle), job.config
    copy.trainable = True
    scales = {name: _scales(config, copy.get_layer(name), weight) for name, weight in job.chosen.items()}
    values = _values(config, copy, job.chosen, scales)

    def wrapped(layer: Layer) -> Layer:
        name = layer.name
        if name not in job.chosen:
            return layer
        shared: Layer = SharedLayer(
            layer, job.chosen[name], scales[name], values[name], config.preserve_sparsity
        )
        return shared

    return rebuild(copy, wrapped)


def _scales(config: Cluster, layer: Layer, weight: str) -> np.ndarray:
    from tflite_compress.passes.algorithms.shared_training import PER_CHANNEL
    from tflite_compress.passes.algorithms.shared_values import channel_scales

    per_channel = config.scales == "channel" and type(layer).__name__ in PER_CHANNEL
    return channel_scales(getattr(layer, weight).numpy(), per_channel)


def _values(
    config: Cluster, handle: KerasModel, chosen: dict[str, str], scales: dict[str, np.ndarray]
) -> dict[str, SharedValues]:
    from tflite_compress.passes.algorithms.shared_values import fit_values

    kernels = {
        name: getattr(handle.get_layer(name), weight).numpy() / scales[name]
        for name, weight in chosen.items()
    }
    return fit_values(kernels, config.clusters, config.bits)


def _stripped(job: _Job, handle: KerasModel, training: KerasModel) -> _Clustered:
    """Return a network in training with its shared values in plain layers."""
    from tflite_compress.models.copying import copied
    from tflite_compress.passes.algorithms.shared_training import shared_kernel

    stripped = copied(handle)
    counts: dict[str, int] = {}
    scales: dict[str, np.ndarray] = {}
    for layer, trained in zip(stripped.layers, training.layers, strict=True):
        if layer.name not in job.chosen:
            layer.set_weights(trained.get_weights())
            continue
        layer.set_weights(trained.layer.get_weights())
        shared = shared_kernel(trained)
        getattr(layer, job.chosen[layer.name]).assign(shared.kernel)
        counts[layer.name] = trained.count
        if job.config.scales == "channel":
            scales[layer.name] = shared.scales
    return _Clustered(stripped, counts, scales)


def _choose(config: Cluster, model: KerasModel) -> tuple[dict[str, str], list[Note]]:
    """Return the weight to cluster by layer, and notes on layers that cannot be clustered."""
    patterns = layer_patterns(config.exclude, "exclude")
    chosen, left_out = {}, []
    for layer in model.layers:
        kernels = [w for w in layer.trainable_weights if len(w.shape) > 1]
        if not kernels or any(p.search(layer.name) for p in patterns):
            continue
        weight = _clusterable(layer)
        if weight is None:
            left_out.append(layer.name)
        elif getattr(layer, weight).shape.num_elements() >= max(MIN_WEIGHTS, 4 * config.clusters):
            chosen[layer.name] = weight
    if not chosen:
        raise ModelError(
            f"model '{model.name}' has no layer to cluster",
            "Choose a recipe without clustering, or make --exclude narrower.",
        )
    text = f"not clustered, as TF-MOT does not cluster their kind: {named(left_out)}"
    notes = [Note("layers-not-clustered", text)] if left_out else []
    return chosen, notes


def _clusterable(layer: Layer) -> str | None:
    """Return the attribute of the weight to cluster: TF-MOT knows in which layers that does little harm."""
    from tflite_compress.support.backend import tfmot

    tfmot()
    from tensorflow_model_optimization.python.core.clustering.keras.clustering_registry import (
        ClusteringRegistry,
    )

    names: list[str] = ClusteringRegistry._LAYERS_WEIGHTS_MAP.get(type(layer)) or []
    return names[0] if names else None
