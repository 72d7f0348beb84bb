"""What a device's developer takes away: sources, a runner or a class, and test vectors."""

from __future__ import annotations

from tflite_compress.bundling.android import android_bundle
from tflite_compress.bundling.board import board_bundle
from tflite_compress.bundling.microcontroller import micro_bundle
from tflite_compress.bundling.vectors import Preprocessing, find_preprocessing
from tflite_compress.data.raw import FileData
from tflite_compress.profiles.devices import Device

NO_PREPROCESSING = Preprocessing()

__all__ = ["Preprocessing", "find_preprocessing", "make_bundle"]


def make_bundle(
    content: bytes,
    device: Device,
    data: FileData,
    name: str,
    labels: tuple[str, ...] = (),
    preprocessing: Preprocessing = NO_PREPROCESSING,
) -> dict[str, bytes]:
    """All files of a device's bundle.

    Args:
        content: The ``.tflite``.
        device: The device; its kind decides what the bundle is.
        data: Samples for the test vectors.
        name: Name of the model.
        labels: Names of the classes.
        preprocessing: What happens to samples before the model.

    Returns:
        Contents by path within the bundle.

    Raises:
        ModelError: The runtime refuses the model.
    """
    if device.kind == "microcontroller":
        return micro_bundle(content, device, data, name, labels)
    if device.kind == "phone":
        return android_bundle(content, device, data, name, labels, preprocessing)
    return board_bundle(content, device, data, name, labels)
