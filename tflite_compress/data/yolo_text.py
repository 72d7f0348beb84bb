"""YOLO text files: one file of boxes per image, in ``labels/`` instead of ``images/``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from tflite_compress.data.annotated_boxes import Box, checked_box, class_note, left_out_note, stack_boxes
from tflite_compress.data.labelled_images import (
    LabelledImages,
    by_part,
    image_size,
    images_below,
    missing_image,
    read_names,
    read_text,
)
from tflite_compress.support.errors import DataError

SETTINGS = ("data.yaml", "data.yml", "dataset.yaml")
COLUMNS = "class x_center y_center width height"
MIN_POLYGON = 7  # the class and three points


class YoloSettings(msgspec.Struct):
    """The keys of ``data.yaml`` that are used."""

    names: list[str] | dict[int, str]
    train: str | list[str] | None = None
    val: str | list[str] | None = None
    test: str | list[str] | None = None
    path: str | None = None
    nc: int | None = None
    kpt_shape: tuple[int, int] | None = None

    @property
    def key_values(self) -> int:
        """How many values of key points follow each box."""
        return math.prod(self.kpt_shape) if self.kpt_shape else 0


def is_yolo_folder(folder: Path) -> bool:
    """Return whether a folder has ``data.yaml``, or ``images/`` and ``labels/`` without masks."""
    if any((folder / name).is_file() for name in SETTINGS):
        return True
    labels = folder / "labels"
    return (folder / "images").is_dir() and labels.is_dir() and not images_below(labels)


def read_yolo(source: Path) -> dict[str, LabelledImages]:
    """Read the boxes of a YOLO data set.

    Args:
        source: A ``data.yaml``, its folder, or a folder with ``images/`` and ``labels/``, in which
            ``classes.txt`` may name the classes.

    Returns:
        ``{"train": ..., "eval": ...}`` if the images are divided, else ``{"all": ...}``.

    Raises:
        DataError: A file is malformed or missing.
    """
    if source.is_file():
        return _from_settings(source)
    settings = next((source / name for name in SETTINGS if (source / name).is_file()), None)
    if settings is not None:
        return _from_settings(settings)
    names = read_names(source / "classes.txt") or read_names(source / "labels" / "classes.txt")
    images = source / "images"
    parts = by_part(images, images_below(images))
    _require_images(images_below(images))
    return {part: _labelled(files, names, str(source)) for part, files in parts.items()}


def _from_settings(path: Path) -> dict[str, LabelledImages]:
    settings = _decoded(path)
    names = _names(settings, path)
    evaluation = settings.val if settings.val is not None else settings.test
    if settings.train is None and evaluation is None:
        raise DataError(f"{path}: has neither train nor val", "Name a folder of images as train.")
    parts = {"train": settings.train, "eval": evaluation}
    found = {
        part: _labelled(_images(path, settings, value), names, f"{path}: {part}", settings.key_values)
        for part, value in parts.items()
        if value is not None
    }
    return found if len(found) == 2 else {"all": next(iter(found.values()))}


def _decoded(path: Path) -> YoloSettings:
    """Parse the file and check the types of its keys.

    Raises:
        DataError: It is not YAML, or a key has another type.
    """
    import yaml

    try:
        value = yaml.safe_load(read_text(path))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1} " if error.problem_mark else ""
        raise DataError(f"{path}: {line}is not YAML ({error.problem})", "Repair the file.") from error
    except yaml.YAMLError as error:
        raise DataError(f"{path}: is not YAML ({error})", "Repair the file.") from error
    try:
        return msgspec.convert(value, YoloSettings)
    except msgspec.ValidationError as error:
        problem, _, key = str(error).partition(" - at `$.")
        raise DataError(
            f"{path}: {problem}{f' in {key[:-1]}' if key else ''}",
            "Give names, and train and val as folders of images.",
        ) from error


def _names(settings: YoloSettings, path: Path) -> tuple[str, ...]:
    """Return the names of the classes in the order of their numbers."""
    if isinstance(settings.names, dict):
        if sorted(settings.names) != list(range(len(settings.names))):
            raise DataError(
                f"{path}: names has the numbers {', '.join(map(str, sorted(settings.names)[:10]))}",
                f"Number the classes from 0 to {len(settings.names) - 1}.",
            )
        names = tuple(settings.names[number] for number in range(len(settings.names)))
    else:
        names = tuple(settings.names)
    if settings.nc not in (None, len(names)):
        raise DataError(f"{path}: nc is {settings.nc}, and names has {len(names)}", "Correct nc or names.")
    return names


def _images(path: Path, settings: YoloSettings, value: str | list[str]) -> list[Path]:
    """Return the images of a part: those of folders, or those that a text file lists."""
    found: list[Path] = []
    for item in [value] if isinstance(value, str) else value:
        place = _resolved(path, settings.path, item)
        if place.is_dir():
            _require_images(images_below(place))
        found += images_below(place) if place.is_dir() else _listed(place)
    if not found:
        raise DataError(f"{path}: there are no images in {value}", "Name a folder of images.")
    return found


def _resolved(path: Path, base: str | None, item: str) -> Path:
    """Return the path of a part. Exported files often name it from a folder that was not exported."""
    folders = [path.parent] if base is None else [path.parent / base, path.parent]
    inner = item
    while inner.startswith("../"):
        inner = inner[3:]
    tried = [folder / name for name in (item, inner) for folder in folders]
    found = next((place for place in tried if place.exists()), None)
    if found is None:
        raise DataError(
            f"{path}: there is no folder {tried[0]}", f"Give the path from the folder of {path.name}."
        )
    return found


def _listed(path: Path) -> list[Path]:
    lines = enumerate(read_text(path).splitlines(), 1)
    files = [(number, path.parent / line.strip()) for number, line in lines if line.strip()]
    for number, file in files:
        if not file.is_file():
            raise missing_image(file, f"{path}: line {number}")
    return [file for _, file in files]


def _labelled(
    files: Iterable[Path], names: tuple[str, ...], origin: str, key_values: int = 0
) -> LabelledImages:
    files = tuple(files)
    texts = [_labels_of(file) for file in files]
    if not any(text.is_file() for text in texts):
        raise DataError(
            f"{origin}: no image has a label file" + (f", such as {texts[0]}" if texts else ""),
            "Put a .txt file of the same name into labels/ for each image with objects.",
        )
    read = [_boxes(text, names, key_values) for text in texts]
    boxes = [[box for box in found if box is not None] for found in read]
    empty = sum(found.count(None) for found in read)
    for file in files:
        image_size(file, origin)
    notes = (*class_note(names), *left_out_note(empty, "boxes without area are"))
    return LabelledImages(files, stack_boxes(boxes, origin), names, notes)


def _require_images(images: Iterable[Path]) -> None:
    """Refuse label files beside those of the images that belong to no image."""
    known = {_labels_of(image) for image in images}
    for folder in sorted({path.parent for path in known}):
        for path in sorted(folder.glob("*.txt")):
            if path not in known and path.name != "classes.txt":
                raise missing_image(f"of the name {path.stem}", str(path))


def _labels_of(image: Path) -> Path:
    """Return the label file of an image: the last folder ``images`` becomes ``labels``."""
    parts = list(image.with_suffix(".txt").parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            return Path(*parts)
    return image.with_suffix(".txt")


def _boxes(path: Path, names: tuple[str, ...], key_values: int) -> list[Box | None]:
    """Return the boxes of a label file; an image without one has no objects."""
    if not path.is_file():
        return []
    lines = [(number, line.split()) for number, line in enumerate(read_text(path).splitlines(), 1)]
    return [_box(words, names, key_values, f"{path}: line {number}") for number, words in lines if words]


def _box(words: list[str], names: tuple[str, ...], key_values: int, place: str) -> Box | None:
    polygon = not key_values and len(words) >= MIN_POLYGON and len(words) % 2 == 1
    if not polygon and len(words) != 5 + key_values:
        columns = COLUMNS + (f" and {key_values} of key points" if key_values else "")
        raise DataError(
            f"{place} has {len(words)} values, expected {5 + key_values}: {columns}",
            "Export boxes or polygons; name the shape of key points as kpt_shape in data.yaml.",
        )
    try:
        number, *values = map(float, words)
    except ValueError as error:
        raise DataError(
            f"{place} is '{' '.join(words)}', expected {len(words)} numbers", "Repair the line."
        ) from error
    if not (math.isfinite(number) and number == int(number) >= 0) or (names and number >= len(names)):
        known = f"0 to {len(names) - 1}" if names else "from 0"
        raise DataError(f"{place}: class {words[0]} is unknown", f"Classes are numbered {known}.")
    return checked_box(int(number), _around(values) if polygon else _corners(*values[:4]), place)


def _corners(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _around(points: list[float]) -> tuple[float, float, float, float]:
    """Return the box around a polygon of alternating x and y; NaN where a point is NaN."""
    pairs = np.reshape(points, (-1, 2))
    (x_min, y_min), (x_max, y_max) = pairs.min(0).tolist(), pairs.max(0).tolist()
    return x_min, y_min, x_max, y_max
