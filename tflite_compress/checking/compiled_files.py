"""Files that a compiler has already made for one accelerator: the operators that hold compiled code."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tflite_compress.profiles.devices import Device


@dataclass(frozen=True)
class Compiler:
    """A compiler that puts an accelerator's code into a custom operator.

    Attributes:
        name: Name of the compiler.
        target: What its code runs on.
        operator: Name of the custom operator.
    """

    name: str
    target: str
    operator: str


EDGE_TPU = Compiler("edgetpu_compiler", "an Edge TPU", "edgetpu-custom-op")
ETHOS_U = Compiler("Vela", "an Arm Ethos-U NPU", "ethos-u")
LITERT_NPU = Compiler("LiteRT's compiler for phone NPUs", "the NPU of one phone chip", "DISPATCH_OP")
_COMPILERS = (EDGE_TPU, ETHOS_U, LITERT_NPU)


def find_compiler(names: Collection[str]) -> Compiler | None:
    """Return the compiler that a file with these operators went through; None if it is not compiled.

    Args:
        names: Names of the file's operators.
    """
    return next((compiler for compiler in _COMPILERS if compiler.operator in names), None)


def runs_compiled(device: Device, compiler: Compiler) -> bool:
    """Return True if a device has the kind of accelerator that a compiler makes code for."""
    if compiler is EDGE_TPU:
        return device.runtime.name == "edgetpu"
    return compiler is ETHOS_U and device.npu is not None
