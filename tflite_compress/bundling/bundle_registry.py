"""The kinds of bundles. A module registers the function that makes its kind of bundle."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tflite_compress.bundling.vectors import Preprocessing
from tflite_compress.data.raw import FileData
from tflite_compress.profiles.devices import Device
from tflite_compress.support.errors import ConfigError

NO_PREPROCESSING = Preprocessing()


@dataclass(frozen=True)
class BundleJob:
    """What a bundle is made from.

    Attributes:
        content: The ``.tflite``.
        device: The device's profile.
        data: Samples for the test vectors.
        name: Name of the model.
        labels: Names of the classes; empty if unknown.
        preprocessing: How samples are preprocessed before the model.
    """

    content: bytes
    device: Device
    data: FileData
    name: str
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing = field(default=NO_PREPROCESSING)


BundleMaker = Callable[[BundleJob], dict[str, bytes]]
_MAKERS: dict[str, BundleMaker] = {}


def register_bundle(*kinds: str) -> Callable[[BundleMaker], BundleMaker]:
    """Register the decorated function as the maker of bundles for kinds of devices.

    Args:
        kinds: Values of ``kind`` in device profiles.
    """

    def add(maker: BundleMaker) -> BundleMaker:
        _MAKERS.update(dict.fromkeys(kinds, maker))
        return maker

    return add


def make_bundle(
    content: bytes,
    device: Device,
    data: FileData,
    name: str,
    labels: tuple[str, ...] = (),
    preprocessing: Preprocessing = NO_PREPROCESSING,
) -> dict[str, bytes]:
    """Make all files of a device's bundle.

    Args:
        content: The ``.tflite``.
        device: The device's profile; its kind selects the bundle.
        data: Samples for the test vectors.
        name: Name of the model.
        labels: Names of the classes; empty if unknown.
        preprocessing: How samples are preprocessed before the model.

    Returns:
        The files' contents by path within the bundle.

    Raises:
        ModelError: The runtime refuses the model.
        ConfigError: There is no bundle for the device's kind.
    """
    _import_kinds()
    if device.kind not in _MAKERS:
        known = ", ".join(sorted(_MAKERS))
        raise ConfigError(f"no bundle for devices of kind '{device.kind}'", f"Use one of the kinds {known}.")
    return _MAKERS[device.kind](BundleJob(content, device, data, name, labels, preprocessing))


def _import_kinds() -> None:
    """Import the modules in ``kinds``, which register themselves."""
    folder = Path(__file__).with_name("kinds")
    for module in pkgutil.iter_modules([str(folder)]):
        importlib.import_module(f"tflite_compress.bundling.kinds.{module.name}")
