"""Write the bundle of a ``.tflite`` into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tflite_compress.bundling.bundle_registry import choose_device, make_bundle
from tflite_compress.bundling.file_detector import find_file_detector
from tflite_compress.bundling.vectors import find_preprocessing
from tflite_compress.data.opened_file import open_file
from tflite_compress.data.raw import SAMPLES, FileData
from tflite_compress.data.sources import DataSource, Preprocess
from tflite_compress.profiles.devices import load_device
from tflite_compress.runtimes.isolated import children_within
from tflite_compress.scoring.joint_output import NO_HEAD, HeadOptions
from tflite_compress.support.errors import TimeUsedError, UsageError
from tflite_compress.support.file_manifest import files_manifest
from tflite_compress.support.input_shape import InputShape
from tflite_compress.support.notes import Note
from tflite_compress.support.progress import Progress, Silent
from tflite_compress.support.staging import MANIFEST, result_folder, write_file
from tflite_compress.support.time_budget import TimeBudget

FOR_ALL_VECTORS = 0.7  # of the time budget; with the rest, one vector is tried


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
    time_budget_seconds: float | None = None,
    keep_graph: bool = False,
    resize: bool = False,
    head: HeadOptions = NO_HEAD,
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
        time_budget_seconds: Time for the runtimes in seconds. With less time than they need, the bundle has
            one test vector, and an upper bound of the arena. None sets no limit.
        keep_graph: Deploy one file also where a GPU refuses its post-processing.
        resize: Resize images to the input.
        head: How the outputs of a detector are read.

    Returns:
        The folder.

    Raises:
        ModelError: The file is missing, damaged, or refused by the runtime.
        DataError: The samples do not fit the file, or the outputs do not fit the head.
        ConfigError: The device profile cannot be used.
        UsageError: The label file cannot be read, no device is named, the format is not for it, or
            there is no such head.
        OutputError: The folder cannot be written, or holds other files.
        TimeUsedError: The time budget was used before the runtime had run one sample.
    """
    progress, budget = progress or Silent(), TimeBudget(time_budget_seconds)
    profile = load_device(choose_device(device, format))
    opened = open_file(path, data, preprocess, input_shape, resize=resize)
    content, samples = opened.content, opened.samples
    if opened.sizes is not None:
        progress.say(f"{opened.sizes}; the bundle's file has fixed shapes")
    names = _read_labels(labels) if labels else samples.class_names
    target = Path(out) if out else Path(f"bundle-{profile.name}")
    with result_folder(target) as staging, progress.step("making the bundle"):
        stem, notes, preprocessing = Path(path).stem, list[Note](), find_preprocessing(preprocess)
        detections = find_file_detector(opened, replace(head, classes=len(names)), notes.append)
        files = _make_within(
            budget,
            samples.first(SAMPLES),
            lambda vectors: make_bundle(
                content,
                profile,
                vectors,
                stem,
                names,
                preprocessing,
                format,
                keep_graph,
                notes.append,
                detections,
            ),
        )
        for name, written in files.items():
            write_file(staging / name, written)
        write_file(staging / MANIFEST, files_manifest(files))
    for note in dict.fromkeys((*notes, *budget.notes)):
        progress.say(note.text)
    return target


def _make_within(
    budget: TimeBudget, data: FileData, make: Callable[[FileData], dict[str, bytes]]
) -> dict[str, bytes]:
    """Make the bundle with all test vectors, or with one if the runtime needs too long for them."""
    try:
        with children_within(budget.share(FOR_ALL_VECTORS)):
            return make(data)
    except TimeUsedError:
        budget.cut(f"1 of {len(data)} test vectors made")
        with children_within(budget):
            return make(data.first(1))


def _read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the lines of a text file that are not empty."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: cannot be read", "Use a text file with one class name per line."
        ) from error
    return tuple(line.strip() for line in lines if line.strip())
