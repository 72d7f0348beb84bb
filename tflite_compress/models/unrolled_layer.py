"""A recurrent layer computed step by step, without a loop.

tf_keras unrolls its plain recurrent layers by a setting. Others (``RNN`` of any cell, ``ConvLSTM``) and LSTM,
which becomes one fused operator that neither returns nor takes a state in integers, are unrolled here.

Importing this module imports TensorFlow, which its base class needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tflite_compress.models.keras_types import Config, Tensor
from tflite_compress.support.backend import tensorflow, tf_keras

_Layer: Any = tf_keras().layers.Layer


class Unrolled(_Layer):  # type: ignore[misc]
    """Computes the steps of a recurrent layer one after the other; a masked step keeps output and states.

    Args:
        layer: A recurrent layer of tf_keras, not stateful, with a known number of steps.
        name: Its name in the graph.
    """

    def __init__(self, layer: Any, name: str | None = None) -> None:
        super().__init__(name=name or layer.name, trainable=False)
        self.layer = layer
        self.supports_masking = True

    def call(
        self, values: Any, initial_state: Sequence[Tensor] | None = None, mask: Tensor | None = None
    ) -> object:
        """Return what the layer returns: the outputs, and its states if it returns them.

        Args:
            values: Shape (batch, steps, ...).
            initial_state: One tensor per state; zeros by default.
            mask: Bool, shape (batch, steps), or more dimensions of ``values``; None for no mask.
        """
        tf = tensorflow()
        steps, layer = range(int(values.shape[1])), self.layer
        states = _zero_states(layer, values) if initial_state is None else list(initial_state)
        outputs: list[Tensor] = []
        shown: list[Tensor] = []
        zero = bool(getattr(layer, "zero_output_for_mask", False))
        for step in reversed(steps) if layer.go_backwards else steps:
            output, after = _run_cell(layer.cell, values[:, step], states)
            visible = output
            if mask is not None:
                kept = mask[:, step]
                before = outputs[-1] if outputs else tf.zeros_like(output)
                visible = _choose(kept, output, tf.zeros_like(output))
                output = _choose(kept, output, before)
                pairs = zip(tf.nest.flatten(after), tf.nest.flatten(states), strict=True)
                after = tf.nest.pack_sequence_as(after, [_choose(kept, *pair) for pair in pairs])
            outputs.append(output)
            shown.append(visible if zero else output)
            states = after
        found = tf.stack(shown, axis=1) if layer.return_sequences else shown[-1]
        return [found, *tf.nest.flatten(states)] if layer.return_state else found

    def compute_mask(self, inputs: object, mask: Tensor | None = None) -> object:
        """Return the mask of a sequence of outputs; states have none."""
        own = mask if self.layer.return_sequences else None
        states = len(tensorflow().nest.flatten(self.layer.cell.state_size))
        return [own, *[None] * states] if self.layer.return_state else own

    def get_config(self) -> Config:
        """Return the live layer: unrolled networks are converted, never saved."""
        return {"layer": self.layer, "name": self.name}


def _zero_states(layer: Any, values: Any) -> Any:
    """Return states of zeros with the shapes of the layer's own initial states."""
    tf = tensorflow()
    batch = tf.shape(values)[0]
    own = layer.get_initial_state(values)  # a convolution of zeros in ConvLSTM: only its shapes are used
    return tf.nest.map_structure(lambda s: tf.zeros([batch, *s.shape[1:]], values.dtype), own)


def _run_cell(cell: Any, value: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Return output and states after one step, in inference mode."""
    import inspect

    takes = inspect.signature(cell.call).parameters
    options = {"training": False} if "training" in takes or "kwargs" in takes else {}
    output, after = cell(value, list(states), **options)
    return output, list(after) if isinstance(after, list | tuple) else [after]


def _choose(kept: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Return ``new`` where the mask is true, else ``old``.

    A SELECT operator would give both the same scale in integers, and the converter takes that of one of them.
    """
    tf = tensorflow()
    share = tf.cast(kept, new.dtype)
    for _ in range(len(new.shape) - len(share.shape)):
        share = share[..., None]
    chosen: Tensor = new * share + old * (1 - share)
    return chosen
