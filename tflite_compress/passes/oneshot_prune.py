"""Pruning without training: zeros are chosen and the other weights solved for, layer by layer.

Each layer's outputs are reconstructed from fewer weights on unlabelled samples, with the inputs that it gets
from the layers before it, already pruned (Frantar and Alistarh, "Optimal Brain Compression",
arXiv:2208.11580, and "SparseGPT", arXiv:2301.00774). Zeros go where the network's outputs feel them least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from msgspec import Meta

from tflite_compress.passes.base import Context, FloatPass, Stage, editable_network, register
from tflite_compress.passes.layer_patterns import choose_layers, require_layers
from tflite_compress.passes.setting_bounds import Count
from tflite_compress.passes.values import FloatModel, Model, Sparsity
from tflite_compress.support.notes import Note, named

if TYPE_CHECKING:
    from tflite_compress.models.keras_types import KerasModel, Layer

NEAR = 0.005  # of the sparsity asked for


@register
class OneshotPrune(FloatPass, frozen=True, tag="oneshot_prune"):
    """Set weights to zero without training.

    Attributes:
        sparsity: Share of all weights of the pruned layers that becomes zero (2:4 always gives 0.5).
        pattern: ``unstructured``, ``2:4`` (two of each four along the inputs), or ``block``.
        block_size: Inputs and outputs of a block.
        allocation: ``output`` puts zeros where the network's outputs change least, ``uniform`` gives all
            layers the same share.
        samples: Number of training samples to reconstruct outputs on. Labels are not used.
        include: Regular expressions; only layers whose name matches one are pruned. Empty: all.
        exclude: Regular expressions; layers whose name matches one are not.
        keep_ends: Leave the first and the last layer unchanged.
    """

    stage: ClassVar = Stage.TRAIN
    safer_values: ClassVar = {"sparsity": min}
    excludes: ClassVar = ("prune",)

    sparsity: Annotated[float, Meta(ge=0, le=0.95)] = 0.5
    pattern: Literal["unstructured", "2:4", "block"] = "unstructured"
    block_size: tuple[Count, Count] = (1, 4)
    allocation: Literal["output", "uniform"] = "output"
    samples: Count = 512
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keep_ends: bool = True

    @property
    def needs_training(self) -> bool:
        """False: it needs samples, but trains nothing."""
        return False

    @property
    def needs_calibration(self) -> bool:
        """True: outputs are reconstructed on samples."""
        return True

    def summary(self) -> str:
        """Return the sparsity in words."""
        share = "2:4 sparsity" if self.pattern == "2:4" else f"{self.sparsity:.0%} sparsity"
        return f"{share} without training"

    def outcome(self, model: Model) -> str:
        """Return the sparsity that was reached."""
        from tflite_compress.passes.algorithms.zeros import share_of_zeros

        handle = model.network.handle
        reached = share_of_zeros(
            handle.get_layer(name).kernel.numpy() for name in model.fact(Sparsity).by_layer
        )
        target = 0.5 if self.pattern == "2:4" else self.sparsity
        return self.summary() if reached > target - NEAR else f"{reached:.0%} sparsity without training"

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the pruned model.

        Args:
            model: A model with an editable network; unchanged.
            context: Data, seed and progress.

        Raises:
            ModelError: The network cannot be edited, or no layer is left to prune.
            ConfigError: A regular expression is wrong.
        """
        from tflite_compress.models.network import keras_network
        from tflite_compress.passes.algorithms.oneshot import pruned_network, zeros_of

        network = editable_network(model, self.tag())
        choice = _choose(self, network.handle)
        changed = pruned_network(network.handle, self, choice.names, context)
        zeros = {name: zeros_of(changed, name) for name in choice.names}
        fact = Sparsity({**model.fact(Sparsity).by_layer, **zeros})
        pruned = keras_network(changed, network.name, True)
        return replace(model, network=pruned).with_fact(fact).noting(*choice.notes)


@dataclass(frozen=True)
class _Choice:
    """The layers to prune, in graph order, and notes on layers that are not pruned."""

    names: tuple[str, ...]
    notes: tuple[Note, ...]


def _choose(config: OneshotPrune, model: KerasModel) -> _Choice:
    from tflite_compress.passes.algorithms.oneshot import solvable_layers, takes_pattern

    able = solvable_layers(model)
    names = choose_layers([*able], config.include, config.exclude, config.keep_ends)
    others = [layer for layer in model.layers if layer.name not in able and _has_matrix(layer)]
    notes = _left_out("only convolutions and dense layers that are used once are", others)
    unfit = [able[name] for name in names if not takes_pattern(able[name], config)]
    needed = "inputs and outputs must be multiples of {} and {}".format(*config.block_size)
    if config.pattern == "2:4":
        needed = "2:4 needs a multiple of 4 input channels"
    notes += _left_out(needed, unfit)
    names = tuple(name for name in names if able[name] not in unfit)
    require_layers(names, [*able], model.name)
    return _Choice(names, tuple(notes))


def _has_matrix(layer: Layer) -> bool:
    return any(len(w.shape) > 1 for w in layer.trainable_weights)


def _left_out(why: str, layers: Sequence[Layer]) -> list[Note]:
    if not layers:
        return []
    return [Note("layers-not-pruned", f"not pruned ({why}): {named([layer.name for layer in layers])}")]
