"""Unroll LSTM and GRU layers, whose fused operators and loops a GPU refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from tflite_compress.passes.base import Context, ConversionPass, FloatPass, Stage, register
from tflite_compress.passes.values import FloatModel, Model
from tflite_compress.support.notes import Note, named

if TYPE_CHECKING:
    from tflite_compress.profiles.devices import Device


@register
class Unroll(FloatPass, frozen=True, tag="unroll"):
    """Unroll LSTM, GRU and SimpleRNN layers of up to 128 steps.

    Recipes for a GPU get this pass by themselves.

    Attributes:
        keep_graph: Leave the layers as they are.
    """

    stage: ClassVar = Stage.ADAPT

    keep_graph: bool = False

    @classmethod
    def adapts(cls, device: Device) -> bool:
        """Return True for a GPU."""
        return device.computes_on_gpu

    def resolve(self, conversion: ConversionPass, device: Device) -> Unroll | None:
        """Leave the pass out if the graph is to be kept, and for devices without a GPU."""
        return None if self.keep_graph or not device.computes_on_gpu else self

    def outcome(self, model: Model) -> str | None:
        """Return ``unrolled``."""
        return "unrolled"

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the model with unrolled recurrent layers; the given one if it has none.

        Args:
            model: A model with a network.
            context: Not used.
        """
        from tflite_compress.models.unroll import recurrent_layers, unrolled

        layers = recurrent_layers(model.network)
        if not layers or model.network.with_rounding is not None:
            return model
        changed = unrolled(model.network, layers)
        text = f"for the GPU: recurrent layers unrolled ({named(layers)})"
        return replace(model, network=changed).noting(Note("fitted-to-gpu", text))
