"""Pruning with TF-MOT: weights become zero and the rest are fine-tuned.

Training begins with the zeros of pass ``oneshot_prune``. Zhu and Gupta, "To prune, or not to prune"
(arXiv:1710.01878) for the polynomial schedule; Mishra et al., "Accelerating Sparse Deep Neural Networks"
(arXiv:2104.08378) for 2:4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from tflite_compress.passes.base import Context, Stage, editable_network, register
from tflite_compress.passes.layer_patterns import choose_layers, require_layers
from tflite_compress.passes.setting_bounds import Count, Ratio, Share
from tflite_compress.passes.training import Training, TrainingPass
from tflite_compress.passes.values import FloatModel, Model, Sparsity
from tflite_compress.support.notes import Note, named

if TYPE_CHECKING:
    from tflite_compress.models.keras_types import KerasModel, Layer, Variable
    from tflite_compress.passes.algorithms.finetune import Schedule
    from tflite_compress.passes.algorithms.harm import HeldOut
    from tflite_compress.passes.cost_curve import CostCurve


NEAR = 0.005  # of the sparsity asked for: half a percent


@register
class Prune(TrainingPass, frozen=True, tag="prune"):
    """Set weights to zero and fine-tune the others.

    Attributes:
        sparsity: Share of the pruned layers' weights that becomes zero (2:4 always gives 0.5).
        pattern: ``unstructured``, ``2:4`` (two of each four along the inputs), or ``block``.
        block_size: Height and width of a block; layers with 2-dimensional kernels only.
        block_pooling: How a block is ranked.
        schedule: ``reconstructed`` begins with the zeros of ``oneshot_prune``, whose share differs from layer
            to layer, and follows ``polynomial`` for layers that it cannot prune. ``polynomial`` sets the
            smallest weights of each layer to zero step by step, ``constant`` from the start.
        initial_sparsity: Sparsity at the start of the polynomial schedule.
        ramp: Share of the training during which sparsity rises; the rest recovers.
        frequency: Batches between two updates of the masks.
        training: How long and how fast the network is fine-tuned.
        include: Regular expressions; only layers whose name matches one are pruned. Empty: all.
        exclude: Regular expressions; layers whose name matches one are not.
        keep_ends: Leave the first and the last prunable layer unchanged.
        reestimate_batchnorm: Average BatchNorm statistics anew afterwards, if that helps on held-out samples.
    """

    stage: ClassVar = Stage.TRAIN
    usual_training: ClassVar = Training(
        epochs=4, min_steps=600, batch_size=128, learning_rate=0.0005, distill=0.7
    )
    safer_values: ClassVar = {"sparsity": min}

    sparsity: Annotated[float, Meta(ge=0, lt=1)] = 0.8
    pattern: Literal["unstructured", "2:4", "block"] = "unstructured"
    block_size: tuple[Count, Count] = (1, 4)
    block_pooling: Literal["AVG", "MAX"] = "AVG"
    schedule: Literal["reconstructed", "polynomial", "constant"] = "reconstructed"
    initial_sparsity: Share = 0.0
    ramp: Ratio = 0.5
    frequency: Count = 10
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keep_ends: bool = True
    reestimate_batchnorm: bool = True

    def summary(self) -> str:
        """Return the sparsity in words."""
        return "2:4 sparsity" if self.pattern == "2:4" else f"{self.sparsity:.0%} sparsity"

    def outcome(self, model: Model) -> str:
        """Return the sparsity that was reached: training may have ended before the schedule did."""
        layers = [model.network.handle.get_layer(name) for name in model.fact(Sparsity).by_layer]
        reached = _sparsity(layers)
        return self.summary() if reached > _target(self) - NEAR else f"{reached:.0%} sparsity"

    def scan_costs(self, model: FloatModel, context: Context) -> CostCurve | None:
        """Return the accuracy drop by sparsity; None for patterns, whose zeros are not free."""
        from tflite_compress.passes.algorithms.level_scan import scan_sparsity

        if self.pattern != "unstructured" or not model.network.editable:
            return None
        names, is_solved = _choose(self, model.network.handle).names, self.schedule == "reconstructed"
        return scan_sparsity(model.network.handle, names, is_solved, context)

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the pruned model, fine-tuned by distillation.

        Args:
            model: A model with an editable network; unchanged.
            context: Data, teacher, seed and progress.

        Raises:
            ModelError: The network cannot be edited, or no layer is left to prune.
            ConfigError: A regular expression is wrong.
        """
        from tflite_compress.models.network import keras_network
        from tflite_compress.passes.algorithms.finetune import Schedule
        from tflite_compress.passes.algorithms.harm import (
            hold_out_if_long,
            reestimate_if_better,
            untrained_zeros,
        )
        from tflite_compress.support.backend import seed_everything

        network = editable_network(model, "prune")
        choice = _choose(self, network.handle)
        seed_everything(context.seed)
        schedule = Schedule.of(self.training)
        held_out = hold_out_if_long(context, schedule)
        begun, stripped, learned = _trained(self, network.handle, choice.names, context, held_out, schedule)
        notes = [*choice.notes, *learned]
        if self.reestimate_batchnorm and (note := reestimate_if_better(stripped, context, held_out)):
            notes.append(note)
        if held_out:
            untrained = untrained_zeros(begun, stripped, choice.names, self.pattern == "unstructured")
            helps, judged = held_out.better("fine-tuning while pruning", untrained, stripped)
            stripped = stripped if helps else untrained
            notes.append(judged)
        sparsity = {layer.name: _sparsity([layer]) for layer in stripped.layers if layer.name in choice.names}
        shares = Sparsity({**model.fact(Sparsity).by_layer, **sparsity})
        pruned = keras_network(stripped, network.name, True)
        return replace(model, network=pruned).with_fact(shares).noting(*notes)


def _trained(
    config: Prune,
    handle: KerasModel,
    names: frozenset[str],
    context: Context,
    held_out: HeldOut | None,
    schedule: Schedule,
) -> tuple[KerasModel, KerasModel, tuple[Note, ...]]:
    """Return the network that training begins with, the pruned and fine-tuned one, and notes."""
    from tflite_compress.models.copying import copied, rebuild
    from tflite_compress.passes.algorithms.best_weights import Judge
    from tflite_compress.passes.algorithms.finetune import finetune
    from tflite_compress.passes.algorithms.reconstructed_zeros import with_zeros
    from tflite_compress.passes.algorithms.zeros_schedule import steps_to_all_zeros, tfmot_options
    from tflite_compress.support.backend import tfmot

    context = held_out.context if held_out else context
    steps = schedule.total_steps(context.reference.splits.learned_samples)
    begun, shares = handle, dict[str, float]()
    if config.schedule == "reconstructed":
        begun, shares = with_zeros(handle, config, names, context)
    options = {name: tfmot_options(config, steps, shares.get(name)) for name in names}
    first = 0 if shares.keys() >= names else steps_to_all_zeros(config, steps)
    judge = Judge(held_out, first) if held_out else None
    wrapper = tfmot().sparsity.keras.prune_low_magnitude

    def wrapped(layer: Layer) -> Layer:
        return wrapper(layer, **options[layer.name]) if layer.name in names else layer

    copy = copied(begun)
    copy.trainable = True  # layers frozen for transfer learning must adapt to the zeros too
    training = rebuild(copy, wrapped)
    title = f"pruning to {_target(config):.0%} and fine-tuning"
    _start_pruning(training)
    notes = finetune(training, context, schedule, title, msgspec.json.encode(config).decode(), judge=judge)
    _finish_pruning(training)
    stripped = rebuild(
        training, lambda layer: getattr(layer, "layer", layer) if _is_wrapped(layer) else layer
    )
    return begun, stripped, notes


@dataclass(frozen=True)
class _Choice:
    """The layers to prune, and notes on layers that are not pruned."""

    names: frozenset[str]
    notes: tuple[Note, ...]


def _target(config: Prune) -> float:
    return 0.5 if config.pattern == "2:4" else config.sparsity


def _is_wrapped(layer: Layer) -> bool:
    return type(layer).__name__ == "PruneLowMagnitude"


def _start_pruning(model: KerasModel) -> None:
    """Set the step of the pruning schedule to 0, as TF-MOT's callback does."""
    for layer in filter(_is_wrapped, model.layers):
        layer.pruning_step.assign(0)


def _finish_pruning(model: KerasModel) -> None:
    """Set weights to zero that the last training step moved away from it."""
    for layer in filter(_is_wrapped, model.layers):
        layer.pruning_obj.weight_mask_op()


def _choose(config: Prune, model: KerasModel) -> _Choice:
    """Return the layers to prune: those that TF-MOT supports, filtered by the settings."""
    prunable = {layer.name: layer for layer in model.layers if _kernels(layer)}
    names: list[str] = []
    notes: list[Note] = []
    for name in choose_layers([*prunable], config.include, config.exclude, config.keep_ends):
        if config.pattern == "block" and not _is_matrix(prunable[name]):
            notes.append(
                Note(
                    "layers-not-pruned",
                    f"'{name}' is not pruned: its kernel is not 2-dimensional, as blocks need",
                )
            )
            continue
        names.append(name)
    notes += _left_out([layer for layer in model.layers if layer.trainable_weights and _unsupported(layer)])
    require_layers(names, [*prunable], model.name)
    return _Choice(frozenset(names), tuple(notes))


def _left_out(layers: list[Layer]) -> list[Note]:
    """Return one note per kind of layer that TF-MOT does not prune."""
    kinds: dict[str, list[str]] = {}
    for layer in layers:
        kinds.setdefault(_kind(layer), []).append(layer.name)
    return [
        Note("layers-not-pruned", f"not pruned, as TF-MOT does not prune {kind}: {named(names)}")
        for kind, names in kinds.items()
    ]


def _registry() -> Any:
    from tflite_compress.support.backend import tfmot

    tfmot()
    from tensorflow_model_optimization.python.core.sparsity.keras.prune_registry import PruneRegistry

    return PruneRegistry


def _kernels(layer: Layer) -> list[Variable]:
    """Return the weights of a built layer that TF-MOT can prune; empty if there are none."""
    registry = _registry()
    if not layer.weights or not registry.supports(layer):
        return []
    return [w for w in registry.make_prunable(layer).get_prunable_weights() if w is not None]


def _unsupported(layer: Layer) -> bool:
    """Return True for a layer with a weight matrix that TF-MOT cannot prune."""
    return not _kernels(layer) and any(len(w.shape) > 1 for w in layer.trainable_weights)


def _kind(layer: Layer) -> str:
    inner = getattr(layer, "_operation", None)
    return type(inner if inner is not None else layer).__name__


def _is_matrix(layer: Layer) -> bool:
    return all(sum(d > 1 for d in kernel.shape) <= 2 for kernel in _kernels(layer))


def _sparsity(layers: list[Layer]) -> float:
    """Return the share of zeros in the kernels of layers, 0 to 1."""
    from tflite_compress.passes.algorithms.zeros import share_of_zeros

    return share_of_zeros(kernel.numpy() for layer in layers for kernel in _kernels(layer))
