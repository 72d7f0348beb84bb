"""Quantization-aware training with TF-MOT: the network is trained with the rounding of the conversion.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference"
(arXiv:1712.05877). After pruning or clustering, zeros and shared values are kept while it learns (TF-MOT's
collaborative optimization: PQAT, CQAT, PCQAT).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec

from tflite_compress.passes.base import (
    Context,
    ConversionPass,
    Stage,
    editable_network,
    register,
)
from tflite_compress.passes.layer_patterns import layer_patterns
from tflite_compress.passes.training import Training, TrainingPass
from tflite_compress.passes.values import Clusters, FloatModel, Sparsity
from tflite_compress.profiles.devices import Precision
from tflite_compress.support.errors import ConversionError, ModelError
from tflite_compress.support.notes import Note, named

LOST = 0.01


if TYPE_CHECKING:
    from tflite_compress.models.keras_types import KerasModel, Layer
    from tflite_compress.profiles.devices import Device


@register
class Qat(TrainingPass, frozen=True, tag="qat"):
    """Fine-tune with simulated int8 rounding; goes right before the conversion.

    Attributes:
        preserve: What training must keep: ``sparsity`` (PQAT), ``clusters`` (CQAT), ``both`` (PCQAT),
            ``nothing``, or ``auto``: what passes before have made.
        exclude: Regular expressions; layers whose name matches one learn without simulated rounding.
        training: How long and how fast the network is fine-tuned.
        precision: Precision of the conversion; ``auto`` takes the recipe's. For other precisions than int8
            the pass does nothing.
    """

    stage: ClassVar = Stage.QAT
    usual_training: ClassVar = Training(
        epochs=2, min_steps=400, batch_size=128, learning_rate=0.0003, distill=0.7
    )
    excludes: ClassVar = ("int4", "adaround", "bias_correct", "calibration", "mixed")

    preserve: Literal["auto", "nothing", "sparsity", "clusters", "both"] = "auto"
    exclude: tuple[str, ...] = ()
    precision: Precision | Literal["auto"] = "auto"

    def summary(self) -> str:
        """Return ``QAT``."""
        return "QAT"

    @property
    def allows_repairs(self) -> bool:
        """False: training has determined all rounding."""
        return False

    def resolve(self, conversion: ConversionPass, device: Device) -> Qat:
        """Fill in the precision of the conversion."""
        if self.precision != "auto":
            return self
        return msgspec.structs.replace(self, precision=conversion.precision)

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Train with simulated rounding.

        Args:
            model: A model with an editable network; unchanged.
            context: Data, teacher, seed and progress.

        Raises:
            ModelError: The network cannot be edited, or TF-MOT can quantize none of its layers.
            ConfigError: A regular expression is wrong.
            ConversionError: TF-MOT cannot copy the network, as with masks and operations of Keras 3.
        """
        from tflite_compress.models.unroll import unrolled
        from tflite_compress.passes.algorithms.finetune import Schedule, finetune
        from tflite_compress.passes.algorithms.fold import without_batchnorm
        from tflite_compress.passes.algorithms.quality import with_handle
        from tflite_compress.support.backend import seed_everything

        if self.precision not in ("auto", "int8"):
            return model.noting(
                Note("pass-left-out", f"qat left out: it trains for int8, not for {self.precision}")
            )
        network = editable_network(model, "qat")
        folded = without_batchnorm(unrolled(network).handle)
        chosen, notes = _choose(self, folded)
        keep_zeros, keep_clusters = _kept(self, model)
        seed_everything(context.seed)
        training = _annotated(folded, chosen, keep_zeros, keep_clusters)
        schedule = Schedule.of(self.training)
        key = msgspec.json.encode(self).decode()
        augmented = finetune(training, context, schedule, "quantization-aware training", key)
        if keep_clusters:
            training = _without_cluster_variables(training)
        if keep_zeros:
            _put_zeros_back(training, folded)
        kept = [word for word, on in (("zeros", keep_zeros), ("shared values", keep_clusters)) if on]
        said = [Note("kept-while-training", f"{' and '.join(kept)} kept while training")] if kept else []
        before = model.fact(Sparsity).by_layer
        sparsity = _sparsity(training, before)
        lost = [name for name, share in sparsity.items() if keep_zeros and share < before[name] - LOST]
        if lost:
            said.append(Note("zeros-lost", f"TF-MOT did not keep all zeros of {named(lost)}", "warning"))
        return with_handle(model, training).with_fact(Sparsity(sparsity)).noting(*notes, *augmented, *said)


def _kept(config: Qat, model: FloatModel) -> tuple[bool, bool]:
    """Return whether to keep zeros, and whether to keep shared values."""
    if config.preserve == "auto":
        return bool(model.fact(Sparsity).by_layer), bool(model.fact(Clusters).by_layer)
    return config.preserve in ("sparsity", "both"), config.preserve in ("clusters", "both")


def _choose(config: Qat, model: KerasModel) -> tuple[frozenset[str], list[Note]]:
    """Return the names of the layers to train with rounding, and notes on unsupported layers with weights."""
    registry = _default_registry()
    patterns = layer_patterns(config.exclude, "exclude")
    able = {layer.name for layer in model.layers if _simulates(registry, layer)}
    chosen = {name for name in able if not any(p.search(name) for p in patterns)}
    weighted = [layer for layer in model.layers if layer.trainable_weights]
    left_out = [layer for layer in weighted if layer.name not in able]
    if not any(layer.name in chosen for layer in weighted):
        raise ModelError(
            f"TF-MOT can train none of the layers of '{model.name}' for int8",
            "Use --recipe=repair-int8, which needs no training, or make --exclude narrower.",
        )
    notes = []
    if left_out:
        kinds = ", ".join(sorted({_kind(registry, layer) for layer in left_out}))
        names = named([layer.name for layer in left_out])
        text = (
            f"trained without simulated rounding, as TF-MOT has none for {kinds}: {names}; they are "
            "quantized after training like in recipe int8"
        )
        notes.append(Note("layers-without-simulation", text))
    return frozenset(chosen), notes


def _simulates(registry: Any, layer: Layer) -> bool:
    """Return True if TF-MOT simulates the rounding of the layer and of its activations."""
    from tensorflow_model_optimization.python.core.quantization.keras.quantize_aware_activation import (
        QuantizeAwareActivation,
    )

    if not registry.supports(layer) or _receives_mask(layer):
        return False
    try:
        config = registry.get_quantize_config(layer)
        config.get_output_quantizers(layer)
        activations = [function for function, _ in config.get_activations_and_quantizers(layer)]
    except ValueError:  # an Activation layer with another function
        return False
    activation = QuantizeAwareActivation.__new__(QuantizeAwareActivation)
    return all(activation._is_supported_activation(function) for function in activations)


def _receives_mask(layer: Layer) -> bool:
    """Return True for a layer that gets a mask, which TF-MOT's wrappers do not pass on."""
    from tflite_compress.support.backend import tensorflow

    inputs = [x for node in layer._inbound_nodes for x in tensorflow().nest.flatten(node.input_tensors)]
    return any(getattr(x, "_keras_mask", None) is not None for x in inputs)


def _kind(registry: Any, layer: Layer) -> str:
    """Return the layer's class, with its activation or mask where that is what TF-MOT does not know."""
    if _receives_mask(layer):
        return f"{type(layer).__name__} with a mask"
    from tflite_compress.models.activations import activation_name

    kind = type(layer).__name__
    return f"{kind} with {activation_name(layer)}" if registry.supports(layer) else kind


def _annotated(
    model: KerasModel, chosen: frozenset[str], keep_zeros: bool, keep_clusters: bool
) -> KerasModel:
    """Return a copy with TF-MOT's wrappers around the chosen layers."""
    from tflite_compress.models.carrier import Carrier
    from tflite_compress.models.copying import copied, rebuild
    from tflite_compress.models.mask_layers import custom_objects
    from tflite_compress.support.backend import tfmot

    quantization = tfmot().quantization.keras
    fused = _fused(model)
    copy = copied(model, lambda layer: {"activation": "relu"} if layer.name in fused else {})
    copy.trainable = True
    gone = {*fused.values()}

    def wrapped(layer: Layer) -> Any:
        # What a folded BatchNorm left is a layer that TF-MOT cannot load.
        if layer.name in gone or type(layer).__name__ == "Through":
            return lambda inputs, **_: inputs
        return quantization.quantize_annotate_layer(layer) if layer.name in chosen else layer

    with quantization.quantize_scope({**custom_objects(), "Carrier": Carrier}):
        scheme = _scheme(keep_zeros, keep_clusters)
        try:
            annotated: KerasModel = quantization.quantize_apply(rebuild(copy, wrapped), scheme)
        except (TypeError, ValueError) as error:
            kinds = sorted({type(x).__name__ for x in model.layers if x.name not in chosen and x.weights})
            also = f", which has {', '.join(kinds)} layers," if kinds else ""
            raise ConversionError(
                f"TF-MOT cannot copy the model{also} for training with simulated rounding",
                "Use --recipe=repair-int8, which needs no training.",
            ) from error
        return annotated


def _fused(model: KerasModel) -> dict[str, str]:
    """Return the ReLU layers to merge into the layer before, by the name of that layer.

    TF-MOT merges such pairs too, but then does not keep the zeros or shared values of the layer.
    """
    from tflite_compress.models.wiring import wiring
    from tflite_compress.passes.algorithms.bias_correction import rectifies
    from tflite_compress.passes.algorithms.fold import FOLDABLE

    wires = wiring(model)
    found = {}
    for name, layer in wires.layers.items():
        linear = getattr(getattr(layer, "activation", None), "__name__", "") == "linear"
        if type(layer).__name__ not in FOLDABLE or not linear:
            continue
        reader = wires.only_reader(name)
        while reader is not None and type(wires.layers[reader]).__name__ == "Through":
            reader = wires.only_reader(reader)
        if reader is not None and rectifies(wires.layers[reader]):
            found[name] = reader
    return found


def _scheme(keep_zeros: bool, keep_clusters: bool) -> Any:
    scheme = _tfmot_scheme(keep_zeros, keep_clusters)
    registry, default = scheme.get_quantize_registry(), _default_registry()
    # TF-MOT also asks for layers that only feed a chosen one. Its registries say yes to activations that they
    # then refuse, and those that keep zeros or shared values to every layer without weights.
    registry.supports = lambda layer: _simulates(default, layer)
    scheme.get_quantize_registry = lambda: registry
    return scheme


def _tfmot_scheme(keep_zeros: bool, keep_clusters: bool) -> Any:
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_scheme,
    )

    from tflite_compress.support.backend import tfmot

    combine = tfmot().experimental.combine
    if keep_clusters:
        return combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=keep_zeros)
    if keep_zeros:
        return combine.Default8BitPrunePreserveQuantizeScheme()
    return default_8bit_quantize_scheme.Default8BitQuantizeScheme()


def _default_registry() -> Any:
    from tflite_compress.support.backend import tfmot

    tfmot()
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry,
    )

    return default_8bit_quantize_registry.Default8BitQuantizeRegistry()


def _without_cluster_variables(model: KerasModel) -> KerasModel:
    """Return the model with shared values in its kernels, without the variables for training them."""
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import (
        cluster_utils,
    )

    stripped: KerasModel = cluster_utils.strip_clustering_cqat(model)
    return stripped


def _put_zeros_back(trained: KerasModel, before: KerasModel) -> None:
    """Restore zeros, because TF-MOT changes them together with the shared value they belong to."""
    originals = {layer.name: layer for layer in before.layers if layer.trainable_weights}
    for layer in trained.layers:
        source = originals.get(layer.name.removeprefix("quant_"))
        if source is None:
            continue
        shapes = {tuple(w.shape): w.numpy() for w in source.trainable_weights if len(w.shape) > 1}
        for weight in layer.trainable_weights:
            if (original := shapes.get(tuple(weight.shape))) is not None:
                weight.assign(weight.numpy() * (original != 0))


def _sparsity(model: KerasModel, before: Mapping[str, float]) -> dict[str, float]:
    """Return the share of zeros of each pruned layer after training. Layer names have TF-MOT's prefix."""
    import numpy as np

    found = dict(before)
    for layer in model.layers:
        name = layer.name.removeprefix("quant_")
        kernels = [w.numpy() for w in layer.trainable_weights if len(w.shape) > 1]
        if name in before and kernels:
            zeros = sum(int(np.sum(k == 0)) for k in kernels)
            found[name] = zeros / sum(k.size for k in kernels)
    return found
