"""Write the bundle of a ``.tflite`` into a folder."""

from __future__ import annotations

import os
from pathlib import Path

from tflite_compress.bundling.bundle_registry import choose_device, make_bundle
from tflite_compress.bundling.vectors import find_preprocessing
from tflite_compress.data.opened_file import open_file
from tflite_compress.data.raw import SAMPLES
from tflite_compress.data.sources import DataSource, Preprocess
from tflite_compress.profiles.devices import load_device
from tflite_compress.support.errors import UsageError
from tflite_compress.support.file_manifest import files_manifest
from tflite_compress.support.input_shape import InputShape
from tflite_compress.support.progress import Progress, Silent
from tflite_compress.support.staging import MANIFEST, result_folder, write_file


def bundle_file(
    path: str | os.PathLike[str],
    device: str | None = None,
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    labels: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    input_shape: InputShape | None = None,
    format: str | None = None,
) -> Path:
    """Write the bundle of a file for a device.

    Args:
        path: A ``.tflite``.
        device: Name or path of a device profile; that of the format by default.
        data: Samples for the test vectors; seeded random ones by default.
        preprocess: ``none``, ``unit``, ``symmetric``, or a function, also as ``module:function``.
        labels: Text file with one class name per line.
        out: Folder to write; ``bundle-DEVICE`` by default.
        progress: Where to report progress.
        input_shape: Sizes of the inputs without the batch, for open dimensions; those of the data by default.
        format: Format of the bundle, for example ``web``; that of the device's kind by default.

    Returns:
        The folder.

    Raises:
        ModelError: The file is missing, damaged, or refused by the runtime.
        DataError: The samples do not fit the file.
        ConfigError: The device profile cannot be used.
        UsageError: The label file cannot be read, no device is named, or the format is not for it.
        OutputError: The folder cannot be written, or holds other files.
    """
    progress = progress or Silent()
    profile = load_device(choose_device(device, format))
    opened = open_file(path, data, preprocess, input_shape)
    content, samples = opened.content, opened.samples
    if opened.sizes is not None:
        progress.say(f"{opened.sizes}; the bundle's file has fixed shapes")
    names = _read_labels(labels) if labels else samples.class_names
    target = Path(out) if out else Path(f"bundle-{profile.name}")
    with result_folder(target) as staging, progress.step("making the bundle"):
        vectors = samples.first(SAMPLES)
        files = make_bundle(
            content, profile, vectors, Path(path).stem, names, find_preprocessing(preprocess), format
        )
        for name, written in files.items():
            write_file(staging / name, written)
        write_file(staging / MANIFEST, files_manifest(files))
    return target


def _read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the lines of a text file that are not empty."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: cannot be read", "Use a text file with one class name per line."
        ) from error
    return tuple(line.strip() for line in lines if line.strip())
