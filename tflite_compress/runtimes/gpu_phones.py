"""What phones were measured to do with operators on their GPU, from a public collection."""

from __future__ import annotations

import functools
from typing import Literal

import msgspec

from tflite_compress.profiles.toml_files import bundled_folder, read
from tflite_compress.runtimes.gpu_plan import GpuOperator

_WORDS = {
    "cpu": "was left to the CPU",
    "wrong": "gave wrong values",
    "crash": "made compiling fail",
    "gpu": "ran on the GPU",
}


class PhoneStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a phone did with an operator.

    Attributes:
        operator: Name in ``schema.fbs``.
        found: ``gpu``, ``cpu``, ``wrong`` (it ran on the GPU with wrong values), or ``crash``.
        device: The phone.
        runtime: The runtime with its version.
        date: Day of the measurement.
        file: File of the collection.
        type: Type of one of its tensors; None for any.
        rank: Number of dimensions; None for any.
        min_rank: Smallest number of dimensions; None for any.
        constant: Place of an input that is stored in the file; None for any.
        all_constant: True if all its inputs are stored in the file.
        no_constant: True if none of its inputs is stored in the file.
        scalar: True if one of its inputs is computed and has no dimensions.
        where: A further condition, in words; None if there is none.
    """

    operator: str
    found: Literal["gpu", "cpu", "wrong", "crash"]
    device: str
    runtime: str
    date: str
    file: str
    type: str | None = None
    rank: int | None = None
    min_rank: int | None = None
    constant: int | None = None
    all_constant: bool = False
    no_constant: bool = False
    scalar: bool = False
    where: str | None = None

    def is_about(self, op: GpuOperator) -> bool:
        """Return True if the statement is about operators like this one, as far as types and shapes tell."""
        return (
            op.name == self.operator
            and (self.type is None or self.type in op.types)
            and (self.rank is None or op.rank == self.rank)
            and (self.min_rank is None or op.rank >= self.min_rank)
            and (self.constant is None or self.constant in op.constants)
            and (not self.all_constant or op.is_constant)
            and not (self.no_constant and op.constants)
            and (not self.scalar or op.has_scalar)
        )

    def contradicts(self, op: GpuOperator) -> bool:
        """Return True if a phone did something else with such an operator than to compute it on the GPU."""
        return self.found != "gpu" and self.is_about(op)

    @property
    def text(self) -> str:
        """What was measured, as the end of a sentence."""
        condition = f", if {self.where}," if self.where else ""
        return f"{_WORDS[self.found]}{condition} on {self.device}: {self.runtime}, {self.date}, {self.file}"


class _PhoneTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    statements: tuple[PhoneStatement, ...]


@functools.cache
def phone_statements() -> tuple[PhoneStatement, ...]:
    """Return the bundled statements."""
    return read(bundled_folder("devices") / "tables" / "gpu_phones.toml", _PhoneTable).statements
