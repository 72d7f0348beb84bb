"""Pascal VOC: one XML file of boxes per image, in ``Annotations/`` or beside the images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from tflite_compress.data.annotated_boxes import Box, checked_box, class_note, left_out_note, stack_boxes
from tflite_compress.data.files.image_folder import IMAGE_SUFFIXES
from tflite_compress.data.labelled_images import (
    LabelledImages,
    checked_size,
    missing_image,
    read_names,
    read_text,
)
from tflite_compress.data.xml_elements import XmlElement, read_xml
from tflite_compress.support.errors import DataError

CORNERS = ("xmin", "ymin", "xmax", "ymax")


class _Annotated(NamedTuple):
    """An image and the class names, corners and places of its boxes."""

    image: Path
    boxes: list[tuple[str, list[float], str]]


def read_voc(folder: Path) -> dict[str, LabelledImages]:
    """Read a folder of Pascal VOC annotations.

    Args:
        folder: ``Annotations/`` and ``JPEGImages/``, or XML files beside the images. ``classes.txt`` orders
            the classes; they are sorted by name without it. ``ImageSets/Main/train.txt`` and ``val.txt``
            divide the images.

    Returns:
        ``{"train": ..., "eval": ...}`` if the images are divided, else ``{"all": ...}``.

    Raises:
        DataError: A file is malformed, or an image is missing or has another size.
    """
    annotations = folder / "Annotations" if (folder / "Annotations").is_dir() else folder
    found = {path.stem: _annotated(path, folder) for path in sorted(annotations.glob("*.xml"))}
    if not found:
        raise DataError(f"{annotations}: contains no .xml files", "Give one XML file per image.")
    listed = read_names(folder / "classes.txt")
    names = listed or tuple(sorted({name for one in found.values() for name, _, _ in one.boxes}))
    if listed:
        _require_known(found, names, folder / "classes.txt")
    return {
        part: _labelled([found[stem] for stem in stems], names, str(folder))
        for part, stems in _parts(folder, found).items()
    }


def _labelled(annotated: list[_Annotated], names: tuple[str, ...], origin: str) -> LabelledImages:
    numbers = {name: number for number, name in enumerate(names)}
    images: list[list[Box]] = []
    empty = 0
    for one in annotated:
        boxes = [checked_box(numbers[name], corners, place) for name, corners, place in one.boxes]
        images.append([box for box in boxes if box is not None])
        empty += boxes.count(None)
    labels = stack_boxes(images, origin)
    notes = (*class_note(names), *left_out_note(empty, "boxes without area are"))
    return LabelledImages(tuple(one.image for one in annotated), labels, names, notes)


def _annotated(path: Path, folder: Path) -> _Annotated:
    """Read one XML file and check its image."""
    root = read_xml(path)
    if root.name != "annotation":
        raise DataError(
            f"{path}: line {root.line} begins <{root.name}>, expected <annotation>", "Give Pascal VOC files."
        )
    image = _image_of(path, root, folder)
    size = root.find("size")
    width, height = checked_size(
        image,
        (None, None) if size is None else (_size(size, "width", path), _size(size, "height", path)),
        str(path) if size is None else f"{path}: line {size.line}",
    )
    boxes = []
    for element in root.all("object"):
        name = element.find("name")
        box = element.find("bndbox")
        if name is None or not name.text.strip() or box is None:
            missing = "bndbox" if name is not None and name.text.strip() else "name"
            raise DataError(
                f"{path}: line {element.line}: <object> has no <{missing}>",
                f"Give each object a <{missing}>.",
            )
        x_min, y_min, x_max, y_max = (_number(box, corner, path) for corner in CORNERS)
        corners = [x_min / width, y_min / height, x_max / width, y_max / height]
        boxes.append((name.text.strip(), corners, f"{path}: line {box.line}"))
    return _Annotated(image, boxes)


def _image_of(path: Path, root: XmlElement, folder: Path) -> Path:
    """Return the image of an XML file: the one it names, or one of the same stem."""
    named = root.find("filename")
    places = (folder / "JPEGImages", path.parent, folder / "images", folder)
    names = [path.stem + suffix for suffix in sorted(IMAGE_SUFFIXES)]
    if named is not None and named.text.strip():
        names.insert(0, Path(named.text.strip()).name)
    for place in places:
        for name in names:
            if (place / name).is_file():
                return place / name
    line = path if named is None else f"{path}: line {named.line}"
    raise missing_image(names[0] if named is not None else path.stem, str(line))


def _number(parent: XmlElement, name: str, path: Path) -> float:
    element = parent.find(name)
    if element is None:
        raise DataError(f"{path}: line {parent.line}: <{parent.name}> has no <{name}>", f"Add <{name}>.")
    try:
        value = float(element.text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{path}: line {element.line}: <{name}> is '{element.text.strip()}', expected a number",
            f"Give <{name}> in pixels.",
        )
    return value


def _size(parent: XmlElement, name: str, path: Path) -> int:
    return int(_number(parent, name, path))  # 0 where a tool did not know it


def _require_known(found: dict[str, _Annotated], names: tuple[str, ...], path: Path) -> None:
    for one in found.values():
        for name, _, place in one.boxes:
            if name not in names:
                raise DataError(
                    f"{place}: class '{name}' is not in {path}", f"Its classes are {', '.join(names[:10])}."
                )


def _parts(folder: Path, found: dict[str, _Annotated]) -> dict[str, list[str]]:
    """Return the stems of each part, from ``ImageSets/Main``."""
    sets = folder / "ImageSets" / "Main"
    evaluation = next((sets / f"{n}.txt" for n in ("val", "test") if (sets / f"{n}.txt").is_file()), None)
    training = sets / "train.txt"
    if evaluation is None or not training.is_file():
        return {"all": list(found)}
    return {"train": _listed(training, found), "eval": _listed(evaluation, found)}


def _listed(path: Path, found: dict[str, _Annotated]) -> list[str]:
    """Return the stems that a file lists, one per line."""
    stems = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        stem = line.split()[0]
        if stem not in found:
            raise DataError(
                f"{path}: line {number} names {stem}, which has no XML file", "Add it, or remove the line."
            )
        stems.append(stem)
    if not stems:
        raise DataError(f"{path}: names no images", "Give one name per line, or remove the file.")
    return stems
