"""Base class of repairs of integer models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from tflite_compress.passes.base import ConversionPass, FilePass, FloatPass, Stage
from tflite_compress.passes.convert import Convert
from tflite_compress.profiles.devices import Precision

if TYPE_CHECKING:
    from typing import Self

    from tflite_compress.profiles.devices import Device


@dataclass(frozen=True)
class Automatic:
    """How a repair takes part in the repairs that are tried without being asked for.

    Attributes:
        order: Its place among them, from 1.
        quick: True where it takes seconds; quick repairs are tried alone first.
    """

    order: int
    quick: bool


class Repair(FloatPass, frozen=True):
    """A pass that makes up for accuracy lost by integers, and is kept only if it does.

    Attributes:
        automatic: Its part in the repairs that are tried without being asked for; None for no part.
        for_activations: True for a pass that only concerns activations that are integers.
        precision, per_channel: How the model will be converted; filled in from the ``convert`` pass.
    """

    stage: ClassVar[Stage] = Stage.REPAIR
    changes_size: ClassVar[bool] = False
    automatic: ClassVar[Automatic | None] = None
    for_activations: ClassVar[bool] = False

    precision: Precision | Literal["auto"] = "auto"
    per_channel: bool = True

    @property
    def conversion(self) -> Convert:
        """The conversion for measuring a repair."""
        precision: Precision = "int8" if self.precision == "auto" else self.precision
        return Convert(precision=precision, io="float32", per_channel=self.per_channel)

    @property
    def allows_repairs(self) -> bool:
        """False: the recipe already has repairs."""
        return False

    def resolve(self, conversion: ConversionPass, device: Device) -> Self | None:
        """Fill in the precision and scales of the conversion.

        Returns:
            The settings; None if the pass chooses how activations become integers, and they stay float.
        """
        if not isinstance(conversion, Convert):
            return self
        if self.for_activations and not conversion.needs_calibration:
            return None
        precision = conversion.precision if self.precision == "auto" else self.precision
        return msgspec.structs.replace(self, precision=precision, per_channel=conversion.per_channel)


def automatic_repairs() -> tuple[tuple[Repair, ...], tuple[Repair, ...]]:
    """Return the repairs that are tried automatically: the quick ones, and all of them."""
    from tflite_compress.passes.registry import all_passes

    kinds = [kind for kind in all_passes().values() if issubclass(kind, Repair)]
    found = [(kind.automatic, kind()) for kind in kinds if kind.automatic is not None]
    found.sort(key=lambda entry: entry[0].order)
    return tuple(step for how, step in found if how.quick), tuple(step for _, step in found)


def automatic_file_repairs(conversion: ConversionPass, device: Device) -> tuple[FilePass, ...]:
    """Return the passes that repair a converted file for a device and are tried without being asked for."""
    from tflite_compress.passes.registry import all_passes

    kinds = [kind for kind in all_passes().values() if issubclass(kind, FilePass)]
    return tuple(kind() for kind in kinds if kind.repairs(conversion, device))
