"""Weight clustering with TF-MOT: the weights of a layer share a few values, which an encoding indexes.

Han et al., "Deep Compression" (arXiv:1510.00149): prune, share weights, quantize, Huffman-code.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from tflite_compress.passes.base import Context, Stage, editable_network, register
from tflite_compress.passes.layer_patterns import layer_patterns
from tflite_compress.passes.training import Training, TrainingPass
from tflite_compress.passes.values import Clusters, FloatModel
from tflite_compress.support.errors import ModelError
from tflite_compress.support.notes import Note, named

if TYPE_CHECKING:
    import numpy as np

    from tflite_compress.models.keras_types import KerasModel, Layer, Variable

MIN_WEIGHTS = 256  # a table for fewer saves nothing


@register
class Cluster(TrainingPass, frozen=True, tag="cluster"):
    """Let the weights of each layer share ``clusters`` values, and fine-tune the values.

    Attributes:
        clusters: Distinct values in a layer's weights; 16 make 4-bit indices.
        preserve_sparsity: Weights that are zero stay zero, and one value is kept for them.
        per_channel: Separate values for each output channel; Conv2D only, a limit of TF-MOT.
        centroids: How TF-MOT finds the first values.
        exclude: Regular expressions; layers whose name matches one are left unchanged.
        training: How long and how fast the network is fine-tuned.
        reestimate_batchnorm: Average BatchNorm statistics anew afterwards, if that helps on held-out samples.
    """

    stage: ClassVar = Stage.TRAIN
    usual_training: ClassVar = Training(
        epochs=3, min_steps=400, batch_size=128, learning_rate=0.0005, distill=0.7
    )
    safer_values: ClassVar = {"clusters": max}

    clusters: Annotated[int, Meta(ge=3, le=128)] = 16
    preserve_sparsity: bool = True
    per_channel: bool = False
    centroids: Literal["KMEANS_PLUS_PLUS", "LINEAR", "DENSITY_BASED", "RANDOM"] = "KMEANS_PLUS_PLUS"
    exclude: tuple[str, ...] = ()
    reestimate_batchnorm: bool = True

    def summary(self) -> str:
        """Return the number of clusters in words."""
        return f"{self.clusters} clusters"

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
        from tflite_compress.passes.algorithms.harm import reestimate_if_better
        from tflite_compress.support.backend import seed_everything

        network = editable_network(model, "cluster")
        chosen, notes = _choose(self, network.handle)
        seed_everything(context.seed)
        stripped, augmented = _trained(self, context, network.handle, chosen)
        notes += augmented
        if self.reestimate_batchnorm and (note := reestimate_if_better(stripped, context)):
            notes.append(note)
        clusters = Clusters({**model.fact(Clusters).by_layer, **dict.fromkeys(sorted(chosen), self.clusters)})
        clustered = keras_network(stripped, network.name, True)
        return replace(model, network=clustered).with_fact(clusters).noting(*notes)


def _trained(
    config: Cluster, context: Context, handle: KerasModel, chosen: frozenset[str]
) -> tuple[KerasModel, tuple[Note, ...]]:
    """Return a copy with the chosen layers clustered and fine-tuned, without wrappers, and notes."""
    from tflite_compress.models.copying import copied, rebuild
    from tflite_compress.passes.algorithms.finetune import Schedule, finetune

    copy = copied(handle)
    copy.trainable = True
    wrappers: dict[str, tuple[Any, list[Variable]]] = {}

    def wrapped(layer: Layer) -> Layer:
        if layer.name not in chosen:
            return layer
        variables = list(layer.weights)  # before the wrapper replaces them by tensors
        wrapper: Layer = _wrapper(layer, config)
        wrappers[layer.name] = (wrapper, variables)
        return wrapper

    training = rebuild(copy, wrapped)
    schedule = Schedule.of(config.training)
    title = f"clustering to {config.clusters} values and fine-tuning"
    augmented = finetune(training, context, schedule, title, msgspec.json.encode(config).decode())
    stripped = copied(handle)
    for layer, trained in zip(stripped.layers, training.layers, strict=True):
        if layer.name in wrappers:
            layer.set_weights(_clustered(*wrappers[layer.name]))
        elif layer.weights:
            layer.set_weights(trained.get_weights())
    return stripped, augmented


def _wrapper(layer: Layer, config: Cluster) -> Any:
    """Return the layer in TF-MOT's clustering wrapper.

    The public function ``cluster_weights`` mistakes the kernel of a Conv2D without bias for its bias when it
    counts channels, and does not cluster that layer per channel.
    """
    from tflite_compress.support.backend import tfmot

    init = tfmot().clustering.keras.CentroidInitialization[config.centroids]
    from tensorflow_model_optimization.python.core.clustering.keras.cluster_wrapper import ClusterWeights

    return ClusterWeights(layer, config.clusters, init, config.preserve_sparsity, _by_channel(layer, config))


def _by_channel(layer: Layer, config: Cluster) -> bool:
    """Return True if the layer is clustered per channel: each channel has more weights than clusters."""
    kernel = layer.trainable_weights[0]
    weights = math.prod(kernel.shape) // kernel.shape[-1]
    return config.per_channel and len(kernel.shape) == 4 and weights > config.clusters


def _clustered(wrapper: Any, variables: list[Variable]) -> list[np.ndarray]:
    """Return the weights of a layer, with shared values in clustered weights."""
    wrapper.update_clustered_weights_associations()
    shared = {}
    for name, original in wrapper.original_clusterable_weights.items():
        algorithm = wrapper.clustering_algorithms[name]
        values = algorithm.get_clustered_weight(wrapper.pulling_indices[name], original)
        shared[id(original)] = values.numpy()
    return [shared[id(v)] if id(v) in shared else v.numpy() for v in variables]


def _choose(config: Cluster, model: KerasModel) -> tuple[frozenset[str], list[Note]]:
    """Return the names of the layers to cluster, and notes on layers that TF-MOT does not support."""
    patterns = layer_patterns(config.exclude, "exclude")
    names, left_out = [], []
    for layer in model.layers:
        kernels = [w for w in layer.trainable_weights if len(w.shape) > 1]
        if not kernels or any(p.search(layer.name) for p in patterns):
            continue
        if not _supported(layer):
            left_out.append(layer.name)
        elif sum(int(w.shape.num_elements()) for w in kernels) >= max(MIN_WEIGHTS, 4 * config.clusters):
            names.append(layer.name)
    if not names:
        raise ModelError(
            f"model '{model.name}' has no layer to cluster",
            "Choose a recipe without clustering, or make --exclude narrower.",
        )
    text = f"not clustered, as TF-MOT does not cluster their kind: {named(left_out)}"
    notes = [Note("layers-not-clustered", text)] if left_out else []
    return frozenset(names), notes


def _supported(layer: Layer) -> bool:
    """Return True for layers whose single kernels TF-MOT can cluster."""
    from tflite_compress.support.backend import tfmot

    tfmot()
    from tensorflow_model_optimization.python.core.clustering.keras.clustering_registry import (
        ClusteringRegistry,
    )

    return bool(ClusteringRegistry._LAYERS_WEIGHTS_MAP.get(type(layer)))
