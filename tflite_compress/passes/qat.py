"""Quantization-aware training with TF-MOT: the network is trained with the rounding of the conversion.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference"
(arXiv:1712.05877). After pruning or clustering, zeros and shared values are kept while it learns (TF-MOT's
collaborative optimization: PQAT, CQAT, PCQAT).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from tflite_compress.passes.algorithms.simulated_rounding import (
    default_registry,
    layer_kind,
    simulates,
    with_simulated_rounding,
    without_cluster_variables,
)
from tflite_compress.passes.base import (
    Context,
    ConversionPass,
    Stage,
    editable_network,
    register,
)
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.layer_patterns import layer_patterns
from tflite_compress.passes.training import Training, TrainingPass
from tflite_compress.passes.values import Clusters, FloatModel, FourBitRounding, LayerTypes, Sparsity
from tflite_compress.profiles.devices import Precision
from tflite_compress.support.errors import ModelError
from tflite_compress.support.notes import Note, named

LOST = 0.01


if TYPE_CHECKING:
    from tflite_compress.models.keras_types import KerasModel
    from tflite_compress.profiles.devices import Device


@register
class Qat(TrainingPass, frozen=True, tag="qat"):
    """Fine-tune with simulated int8 rounding; goes right before the conversion.

    Layers that have 4-bit weights (pass ``int4``) are trained with the 4-bit values that the file gets. That
    training is kept only if outputs come closer to the original's on samples that it did not learn from.

    Attributes:
        preserve: What training must keep: ``sparsity`` (PQAT), ``clusters`` (CQAT), ``both`` (PCQAT),
            ``nothing``, or ``auto``: what passes before have made.
        exclude: Regular expressions; layers whose name matches one learn without simulated rounding.
        training: How long and how fast the network is fine-tuned.
        precision: Precision of the conversion; ``auto`` takes the recipe's. For other precisions than int8
            the pass does nothing.
        per_channel: One scale for each channel of 4-bit weights; filled in from the ``convert`` pass.
    """

    stage: ClassVar = Stage.QAT
    usual_training: ClassVar = Training(
        epochs=2, min_steps=400, batch_size=128, learning_rate=0.0003, distill=0.7
    )
    excludes: ClassVar = ("adaround", "bias_correct", "calibration", "mixed")

    preserve: Literal["auto", "nothing", "sparsity", "clusters", "both"] = "auto"
    exclude: tuple[str, ...] = ()
    precision: Precision | Literal["auto"] = "auto"
    per_channel: bool = True

    def summary(self) -> str:
        """Return ``QAT``."""
        return "QAT"

    @property
    def allows_repairs(self) -> bool:
        """False: training has determined all rounding."""
        return False

    def resolve(self, conversion: ConversionPass, device: Device) -> Qat:
        """Fill in the precision and scales of the conversion."""
        precision = conversion.precision if self.precision == "auto" else self.precision
        per_channel = not isinstance(conversion, Convert) or conversion.per_channel
        return msgspec.structs.replace(self, precision=precision, per_channel=per_channel)

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
        if "int4" in model.fact(LayerTypes).by_layer.values():
            return _with_four_bits(self, model, folded, chosen, context).noting(*notes)
        keep_zeros, keep_clusters = _kept(self, model)
        seed_everything(context.seed)
        training = with_simulated_rounding(folded, chosen, keep_zeros, keep_clusters)
        trained = _train(self, training, context)
        if keep_clusters:
            training = without_cluster_variables(training)
        if keep_zeros:
            _put_zeros_back(training, folded)
        kept = [word for word, on in (("zeros", keep_zeros), ("shared values", keep_clusters)) if on]
        said = [Note("kept-while-training", f"{' and '.join(kept)} kept while training")] if kept else []
        before = model.fact(Sparsity).by_layer
        sparsity = _sparsity(training, before)
        lost = [name for name, share in sparsity.items() if keep_zeros and share < before[name] - LOST]
        if lost:
            said.append(Note("zeros-lost", f"TF-MOT did not keep all zeros of {named(lost)}", "warning"))
        return with_handle(model, training).with_fact(Sparsity(sparsity)).noting(*notes, *trained, *said)


def _with_four_bits(
    config: Qat, model: FloatModel, folded: KerasModel, chosen: frozenset[str], context: Context
) -> FloatModel:
    """Return the model with trained 4-bit weights; the given one with a note if training did not help."""
    from tflite_compress.passes.algorithms.four_bit_training import prepared, trained_copy
    from tflite_compress.passes.algorithms.quality import with_handle
    from tflite_compress.support.backend import seed_everything

    names = {layer.name for layer in folded.layers}
    four = [n for n, type_ in model.fact(LayerTypes).by_layer.items() if type_ == "int4" and n in names]
    seed_everything(context.seed)
    training = prepared(folded, chosen, four, config.per_channel)
    notes = _train(config, training, context, is_judged=True)
    if any(note.code == "training-undone" for note in notes):
        return model.noting(*notes)
    trained = trained_copy(folded, training, four, config.per_channel)
    return with_handle(model, trained).with_fact(FourBitRounding()).noting(*notes)


def _train(config: Qat, training: KerasModel, context: Context, is_judged: bool = False) -> tuple[Note, ...]:
    """Train a network with simulated rounding in place, if that helps, and return notes.

    Args:
        config: Settings of the pass.
        training: The network.
        context: Data, teacher, seed and progress.
        is_judged: True to judge short trainings too.
    """
    from tflite_compress.passes.algorithms.best_weights import Judge
    from tflite_compress.passes.algorithms.finetune import Schedule, finetune
    from tflite_compress.passes.algorithms.harm import hold_out, hold_out_if_long
    from tflite_compress.passes.algorithms.rounding_ranges import set_ranges

    schedule = Schedule.of(config.training)
    held_out = hold_out(context) if is_judged else hold_out_if_long(context, schedule)
    learned = held_out.context if held_out else context
    inputs = learned.reference.splits.train.inputs
    set_ranges(training, inputs, schedule.batch_of(len(inputs[0])))
    title, key = "quantization-aware training", msgspec.json.encode(config).decode()
    if held_out is None:
        return finetune(training, context, schedule, title, key)
    judge = Judge(held_out)
    return held_out.keep_better(
        title, training, lambda: finetune(training, learned, schedule, title, key, judge=judge)
    )


def _kept(config: Qat, model: FloatModel) -> tuple[bool, bool]:
    """Return whether to keep zeros, and whether to keep shared values."""
    if config.preserve == "auto":
        return bool(model.fact(Sparsity).by_layer), bool(model.fact(Clusters).by_layer)
    return config.preserve in ("sparsity", "both"), config.preserve in ("clusters", "both")


def _choose(config: Qat, model: KerasModel) -> tuple[frozenset[str], list[Note]]:
    """Return the names of the layers to train with rounding, and notes on unsupported layers with weights."""
    registry = default_registry()
    patterns = layer_patterns(config.exclude, "exclude")
    able = {layer.name for layer in model.layers if simulates(registry, layer)}
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
        kinds = ", ".join(sorted({layer_kind(registry, layer) for layer in left_out}))
        names = named([layer.name for layer in left_out])
        text = (
            f"trained without simulated rounding, as TF-MOT has none for {kinds}: {names}; they are "
            "quantized after training like in recipe int8"
        )
        notes.append(Note("layers-without-simulation", text))
    return frozenset(chosen), notes


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
    from tflite_compress.passes.algorithms.zeros import share_of_zeros

    found = dict(before)
    for layer in model.layers:
        name = layer.name.removeprefix("quant_")
        kernels = [w.numpy() for w in layer.trainable_weights if len(w.shape) > 1]
        if name in before and kernels:
            found[name] = share_of_zeros(kernels)
    return found
