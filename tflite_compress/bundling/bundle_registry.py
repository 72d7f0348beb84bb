"""The formats of bundles. A module registers the function that makes its format."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tflite_compress.bundling.detections import Detections, detection_files
from tflite_compress.bundling.text import render
from tflite_compress.bundling.vectors import Preprocessing
from tflite_compress.data.raw import FileData
from tflite_compress.profiles.devices import Device
from tflite_compress.support.errors import ConfigError, UsageError, closest
from tflite_compress.support.notes import Note

NO_PREPROCESSING = Preprocessing()


def _ignore(note: Note) -> None:
    """Say nothing."""


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
        keep_graph: Deploy the file as one file, as it is.
        say: Called with what the user should know about the bundle.
        detections: How outputs become detections; None for a model that is no detector.
    """

    content: bytes
    device: Device
    data: FileData
    name: str
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing = field(default=NO_PREPROCESSING)
    keep_graph: bool = False
    say: Callable[[Note], None] = _ignore
    detections: Detections | None = None


BundleMaker = Callable[[BundleJob], dict[str, bytes]]


@dataclass(frozen=True)
class BundleFormat:
    """A registered format.

    Attributes:
        name: Its name, for ``bundle --format``.
        kinds: Values of ``kind`` in profiles of the devices it is for.
        maker: Makes the files.
        default_device: Profile to use if no device is named; None if one must be named.
    """

    name: str
    kinds: tuple[str, ...]
    maker: BundleMaker
    default_device: str | None = None


_FORMATS: dict[str, BundleFormat] = {}


def register_bundle(
    name: str, *kinds: str, default_device: str | None = None
) -> Callable[[BundleMaker], BundleMaker]:
    """Register the decorated function as the maker of a format of bundles.

    Args:
        name: Name of the format.
        kinds: Values of ``kind`` in device profiles. It is the format of these devices.
        default_device: Profile to use if no device is named.
    """

    def add(maker: BundleMaker) -> BundleMaker:
        _FORMATS[name] = BundleFormat(name, kinds, maker, default_device)
        return maker

    return add


def list_formats() -> list[BundleFormat]:
    """Return all formats, sorted by name."""
    folder = Path(__file__).with_name("kinds")
    for module in pkgutil.iter_modules([str(folder)]):
        importlib.import_module(f"tflite_compress.bundling.kinds.{module.name}")
    return [_FORMATS[name] for name in sorted(_FORMATS)]


def choose_device(device: str | None, format: str | None) -> str:
    """Return the device to make a bundle for.

    Args:
        device: The device the user named; None if there is none.
        format: The format the user named; None if there is none.

    Raises:
        UsageError: Neither names a device.
    """
    if device is not None:
        return device
    if format is None:
        raise UsageError("--device is missing", "For example: bundle model.tflite --device=rp2040")
    found = _find_format(format).default_device
    if found is None:
        raise UsageError(f"format '{format}' needs a device", "Name one: --device=NAME.")
    return found


def _find_format(name: str) -> BundleFormat:
    formats = {entry.name: entry for entry in list_formats()}
    if name not in formats:
        guess = closest(name, list(formats))
        raise UsageError(f"no format is called '{name}'.{guess}", f"Choose from {', '.join(formats)}.")
    return formats[name]


def _format_of(device: Device, name: str | None) -> BundleFormat:
    """Return the named format, or the one of the device's kind."""
    if name is None:
        fitting = [entry for entry in list_formats() if device.kind in entry.kinds]
        if fitting:
            return fitting[0]
        known = ", ".join(sorted(kind for entry in list_formats() for kind in entry.kinds))
        raise ConfigError(f"no bundle for devices of kind '{device.kind}'", f"Use one of the kinds {known}.")
    found = _find_format(name)
    if device.kind not in found.kinds:
        kinds = " and ".join(found.kinds)
        raise UsageError(
            f"format '{name}' is for devices of kind {kinds}; {device.name} is of kind {device.kind}",
            "Leave --device out." if found.default_device else "Leave --format out.",
        )
    return found


def make_bundle(
    content: bytes,
    device: Device,
    data: FileData,
    name: str,
    labels: tuple[str, ...] = (),
    preprocessing: Preprocessing = NO_PREPROCESSING,
    format: str | None = None,
    keep_graph: bool = False,
    say: Callable[[Note], None] = _ignore,
    detections: Detections | None = None,
) -> dict[str, bytes]:
    """Make all files of a device's bundle.

    Args:
        content: The ``.tflite``.
        device: The device's profile.
        data: Samples for the test vectors.
        name: Name of the model.
        labels: Names of the classes; empty if unknown.
        preprocessing: How samples are preprocessed before the model.
        format: Name of the format; that of the device's kind by default.
        keep_graph: Deploy one file also where the GPU refuses its post-processing.
        say: Called with what the user should know about the bundle.
        detections: How outputs become detections; None for a model that is no detector.

    Returns:
        The files' contents by path within the bundle.

    Raises:
        ModelError: The runtime refuses the model.
        ConfigError: There is no bundle for the device's kind.
        UsageError: There is no such format, or it is not for this device.
    """
    found = _format_of(device, format)
    job = BundleJob(content, device, data, name, labels, preprocessing, keep_graph, say, detections)
    files = found.maker(job)
    if detections is None or not detections.is_known:
        return files
    suppression = ", then non-maximum suppression" if detections.detector.max_iou < 1 else ""
    readme = render("detections_readme.md", head=detections.detector.head, suppression=suppression)
    files["README.md"] = files.get("README.md", b"") + readme
    return files | detection_files(detections, content)
