"""Split an output whose parts have too different ranges for one scale, such as boxes in pixels and scores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from tflite_compress.passes.base import Context, register
from tflite_compress.passes.repair import Automatic, Repair
from tflite_compress.passes.values import FloatModel, Model
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.models.network import Network


@register
class SplitOutputs(Repair, frozen=True, tag="split_outputs"):
    """Give parts of a concatenated output that would be lost in int8 outputs and scales of their own.

    A detector that concatenates boxes in pixels and scores from 0 to 1 gets one scale for both, and its
    scores become 0. The pass removes the last ``Concatenate`` layer, and is kept only if the quantized model
    improves on the calibration samples. ``Reshape``, ``Permute`` and elementwise activations behind it move
    to the parts. The application concatenates the parts again.
    """

    automatic: ClassVar = Automatic(order=0, quick=True)
    for_activations: ClassVar = True
    excludes: ClassVar = ("qat",)

    def outcome(self, model: Model) -> str | None:
        """Return ``outputs split``; None where the outputs are those of the original."""
        return "outputs split" if model.network.joined_outputs else None

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the model with split outputs.

        Args:
            model: A model with a network.
            context: Calibration samples.

        Returns:
            The model with more outputs; the given one if no part would be lost, or if it does not improve.
        """
        from tflite_compress.passes.algorithms.quality import keep_if_better

        network = model.network
        if not network.editable or network.joined_outputs or self.conversion.precision != "int8":
            return model
        changed = context.shared.once("split_outputs", network, None, lambda: _split(network, context))
        if changed is None:
            return model
        found = keep_if_better("split_outputs", model, replace(model, network=changed), self, context)
        if found.network is not changed:
            return found
        return found.noting(*(Note("output-split", text) for text in changed.split_in_words()))


def _split(network: Network, context: Context) -> Network | None:
    from tflite_compress.passes.algorithms.output_splitting import split_outputs

    with context.progress.step("comparing the ranges of concatenated outputs"):
        return split_outputs(network, context.reference.splits.calibrate.inputs)
