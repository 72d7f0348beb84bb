"""Choose among int8 files of one network: the converter's, litert-quantizer's, and one with corrected biases.

The TFLite converter and litert-quantizer round differently, and no calibration method is best for all models.
Each file's outputs are compared with those of the float network, sample by sample. The converter's file is
replaced only by one that agrees significantly more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from tflite_compress.conversion import METHODS
from tflite_compress.passes.base import Context, ConversionPass, register
from tflite_compress.passes.bias_correct import BiasCorrect
from tflite_compress.passes.convert import Convert, flatbuffer
from tflite_compress.passes.repair import Repair
from tflite_compress.passes.setting_bounds import Share
from tflite_compress.passes.values import CalibrationMethod, FloatModel, Model, Quantizer
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note
from tflite_compress.support.quantities import format_share

if TYPE_CHECKING:
    import numpy as np

    from tflite_compress.passes.algorithms.file_agreement import Compared
    from tflite_compress.profiles.devices import Device


@dataclass(frozen=True, eq=False)
class _Tried:
    """An int8 file of the network.

    Attributes:
        name: What made it, in words.
        model: The float model with the facts that the conversion obeys.
        agreement: Agreement with the original by sample, shape (samples,).
    """

    name: str
    model: FloatModel
    agreement: np.ndarray

    @property
    def difference(self) -> float:
        """How far the outputs differ from those of the original, from 0."""
        return 1 - float(self.agreement.mean())


@register
class ChooseInt8(Repair, frozen=True, tag="choose_int8"):
    """Choose the int8 file whose outputs are closest to those of the float network.

    The converter's file is compared with those of litert-quantizer with each calibration method, and with one
    of corrected biases. It is replaced if a paired test on training samples shows that
    another one is significantly closer. Nothing else is tried where the converter's file is close enough.

    Attributes:
        tolerance: Difference up to which the converter's file is kept without trying others. 0.003 means
            that 0.3 % of the probability goes to other classes, or a squared error of 0.3 % of the variance.
        io, float_fallback: How the model will be converted; filled in from the ``convert`` pass.
    """

    for_activations: ClassVar = True
    excludes: ClassVar = ("qat",)

    tolerance: Share = 0.003
    io: Literal["auto", "float32", "integer"] = "auto"
    float_fallback: bool = True

    @property
    def conversion(self) -> Convert:
        """The conversion of the recipe."""
        return Convert("int8", self.io, self.per_channel, self.float_fallback)

    @property
    def allows_repairs(self) -> bool:
        """True: models that int8 harms need more."""
        return True

    def resolve(self, conversion: ConversionPass, device: Device) -> ChooseInt8 | None:
        """Fill in the conversion.

        Returns:
            The settings; None where the conversion has settings that decide what quantizes.
        """
        found = conversion.resolve(conversion, device)
        if not isinstance(found, Convert):
            return None
        filled = msgspec.structs.replace(
            self,
            precision="int8",
            io=found.io,
            per_channel=found.per_channel,
            float_fallback=found.float_fallback,
        )
        return filled if filled.conversion == found else None

    def outcome(self, model: Model) -> str | None:
        """Return ``closest int8``; None where the converter's file was kept."""
        return "closest int8" if model.find(Quantizer) else None

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the model with the facts and biases of the file that is closest to the float network.

        Args:
            model: A model with a network.
            context: Calibration samples, and training samples for the comparison.
        """
        from tflite_compress.data.gather import RANDOM_ORIGIN
        from tflite_compress.passes.algorithms.file_agreement import compared_samples

        is_random = context.reference.splits.train.origin == RANDOM_ORIGIN
        if is_random or model.network.with_rounding is not None:
            return model
        compared = compared_samples(context)
        with context.progress.step("int8: comparing with the float model"):
            plain = self._try("the converter", model, compared)
        if plain is None or plain.difference <= self.tolerance or context.budget.is_used:
            return model
        others = self._by_quantizer(model, compared)
        writer = _significantly_closer(plain, others)
        others += self._corrected(writer, compared)
        best = _significantly_closer(plain, others)
        return best.model.noting(_described(plain, best, others))

    def _by_quantizer(self, model: FloatModel, compared: Compared) -> list[_Tried]:
        """Return what litert-quantizer makes with each calibration method, where it makes integers."""
        found = []
        with compared.context.progress.step("int8: trying litert-quantizer", len(METHODS)) as advance:
            for method in METHODS:
                by_other = model.with_fact(Quantizer("litert-quantizer")).with_fact(CalibrationMethod(method))
                found.append(self._try(f"litert-quantizer ({method})", by_other, compared, True))
                advance(1)
        return [one for one in found if one is not None]

    def _corrected(self, start: _Tried, compared: Compared) -> list[_Tried]:
        """Return the same conversion with corrected biases; nothing where there are none to correct."""
        if not start.model.network.editable:
            return []
        network = BiasCorrect(per_channel=self.per_channel).corrected(start.model, compared.context)
        if network is None:
            return []
        model = replace(start.model, network=network).with_fact(start.model.fact(Quantizer))
        with compared.context.progress.step("int8: trying corrected biases"):
            found = self._try(f"{start.name} with corrected biases", model, compared, True)
        return [] if found is None else [found]

    def _try(
        self, name: str, model: FloatModel, compared: Compared, all_integers: bool = False
    ) -> _Tried | None:
        """Return the int8 file of a model with its agreement; None if the conversion fails.

        Args:
            name: What makes it, in words.
            model: The float model.
            compared: The samples.
            all_integers: Return None for a file with float operators, too.
        """
        from tflite_compress.runtimes.litert import predict

        try:
            content, notes = flatbuffer(self.conversion, model, compared.context)
            if all_integers and any(note.code == "operators-stay-float32" for note in notes):
                return None
            outputs = model.network.joined(predict(content, compared.inputs, *model.network.tensor_names))
        except ConversionError:
            return None  # of the converter's file, the conversion itself reports it
        return _Tried(name, model, compared.agreement(outputs))


def _significantly_closer(first: _Tried, others: list[_Tried]) -> _Tried:
    """Return the closest of the others, if it is significantly closer than the first."""
    from tflite_compress.scoring.agreement import compare_agreement

    best = min(others, key=lambda tried: tried.difference, default=first)
    if best is first:
        return first
    gain = compare_agreement(first.agreement, best.agreement, len(others))
    return best if gain.is_significant else first


def _described(plain: _Tried, best: _Tried, others: list[_Tried]) -> Note:
    """Return a note with the choice and how far each file's outputs differ from the float model's."""
    samples = f"{len(plain.agreement):,} samples"
    own = f"outputs differ from the float model's by {format_share(best.difference)} on {samples}"
    if best is not plain:
        text = f"int8 by {best.name}: {own}, those of the converter's plain file by"
        return Note("int8-chosen", f"{text} {format_share(plain.difference)}")
    figures = ", ".join(f"{one.name} {format_share(one.difference)}" for one in others)
    no_other = f"; no other file is significantly closer: {figures}" if figures else ""
    return Note("int8-kept", f"int8 by the converter: {own}{no_other}")
