"""Conversions by precision: settings of the pass that writes the ``.tflite``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tflite_compress.conversion import Method
from tflite_compress.passes.convert import Convert

IoType = Literal["auto", "float32", "integer"]


def Float32(*, sparse: bool = False) -> Convert:  # noqa: N802 - named like the pass classes
    """Return the conversion to float32.

    Args:
        sparse: Store pruned weights sparsely if that makes the file smaller.

    Examples:
        >>> Float32().precision
        'float32'
    """
    return Convert(precision="float32", io="float32", sparse=sparse)


def Float16() -> Convert:  # noqa: N802
    """Return the conversion to float16 weights with float32 activations.

    Examples:
        >>> Float16().precision
        'float16'
    """
    return Convert(precision="float16", io="float32")


def Dynamic(*, per_channel: bool = True) -> Convert:  # noqa: N802
    """Return the conversion to int8 weights with float32 activations. It needs no calibration data.

    Args:
        per_channel: One scale per output channel of a weight rather than one per tensor.

    Examples:
        >>> Dynamic().precision
        'dynamic'
    """
    return Convert(precision="dynamic", io="float32", per_channel=per_channel)


def Int8(  # noqa: N802
    *,
    io: IoType = "auto",
    per_channel: bool = True,
    float_fallback: bool = True,
    calibration_method: Method = "minmax",
    layers: Sequence[str] = (),
) -> Convert:
    """Return the conversion to int8 weights and activations. It needs calibration data.

    Args:
        io: Type of inputs and outputs; ``auto`` takes what the device prefers, float32 without a device.
        per_channel: One scale per output channel of a weight rather than one per tensor.
        float_fallback: Keep operators without an int8 kernel in float32.
        calibration_method: How activation ranges are chosen from calibration samples.
        layers: Types of single layers, each as ``REGEX=TYPE`` with int4, int8, int16x8 or float32.

    Examples:
        >>> Int8(io="integer").io
        'integer'
    """
    return Convert("int8", io, per_channel, float_fallback, False, calibration_method, tuple(layers))


def Int16x8(  # noqa: N802
    *, io: IoType = "auto", float_fallback: bool = True, calibration_method: Method = "minmax"
) -> Convert:
    """Return the conversion to int8 weights and int16 activations. It needs calibration data.

    Args:
        io: Type of inputs and outputs; ``auto`` takes what the device prefers, float32 without a device.
        float_fallback: Keep operators without an int16x8 kernel in float32.
        calibration_method: How activation ranges are chosen from calibration samples.

    Examples:
        >>> Int16x8().precision
        'int16x8'
    """
    return Convert("int16x8", io, True, float_fallback, False, calibration_method)
