"""COCO JSON: one file with images, categories and boxes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar, get_args, get_type_hints

import msgspec

from tflite_compress.data.annotated_boxes import Box, checked_box, class_note, left_out_note, stack_boxes
from tflite_compress.data.image_parts import part_names
from tflite_compress.data.labelled_images import LabelledImages, checked_size, missing_image
from tflite_compress.support.errors import DataError

EXPORTED = "_annotations.coco.json"
Identifier = int | str


class CocoImage(msgspec.Struct):
    """An image of a COCO file."""

    id: Identifier
    file_name: str
    width: int | None = None
    height: int | None = None


class CocoCategory(msgspec.Struct):
    """A class of a COCO file."""

    id: int
    name: str


class CocoAnnotation(msgspec.Struct):
    """A box of a COCO file: x, y, width and height in pixels."""

    image_id: Identifier
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0


class CocoFile(msgspec.Struct):
    """The parts of a COCO file that are used."""

    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory]


Decoded = TypeVar("Decoded", bound=msgspec.Struct)


def coco_parts(folder: Path) -> dict[str, Path] | None:
    """Return the file of each part of a folder that was exported as COCO; None for another folder."""
    if (folder / EXPORTED).is_file():
        return {"all": folder / EXPORTED}
    names = part_names(path.parent.name for path in folder.glob(f"*/{EXPORTED}"))
    return None if names is None else {part: folder / name / EXPORTED for part, name in names.items()}


def read_coco(path: Path) -> dict[str, LabelledImages]:
    """Read the boxes of a COCO file, or of a folder with ``_annotations.coco.json`` beside the images.

    Args:
        path: The file or folder; the folder may be divided into ``train/`` and ``valid/``.

    Returns:
        ``{"train": ..., "eval": ...}`` for a divided folder, else ``{"all": ...}``.

    Raises:
        DataError: A file is malformed, or an image is missing or has another size.
    """
    parts = coco_parts(path) if path.is_dir() else None
    return {part: read_coco_file(file) for part, file in (parts or {"all": path}).items()}


def read_coco_file(path: Path) -> LabelledImages:
    """Read the boxes of a COCO file.

    Args:
        path: The file. The images are next to it, in a folder beside it, or in one beside its own folder.

    Returns:
        The images in the order of the file. Classes are numbered from 0 in the order of the categories' ids.
        Crowd regions and boxes without area are left out.

    Raises:
        DataError: The file is malformed, or an image is missing or has another size.
    """
    coco = decoded(path, CocoFile)
    categories = sorted(coco.categories, key=lambda category: category.id)
    numbers = {category.id: number for number, category in enumerate(categories)}
    require_unique([c.id for c in coco.categories], f"{path}: categories")
    files, sizes = find_images(path, coco.images)
    boxes: dict[Identifier, list[Box]] = defaultdict(list)
    crowds = empty = 0
    for index, annotation in enumerate(coco.annotations):
        place = f"{path}: annotations[{index}]"
        require_known(annotation.image_id, annotation.category_id, numbers, sizes, place)
        box = _box(annotation, numbers[annotation.category_id], sizes[annotation.image_id], place)
        if annotation.iscrowd:
            crowds += 1
        elif box is None:
            empty += 1
        else:
            boxes[annotation.image_id].append(box)
    names = tuple(category.name for category in categories)
    labels = stack_boxes([boxes[image.id] for image in coco.images], str(path))
    notes = (
        *class_note(names),
        *left_out_note(crowds, "crowd regions are"),
        *left_out_note(empty, "boxes without area are"),
    )
    return LabelledImages(tuple(files), labels, names, notes)


def _box(annotation: CocoAnnotation, number: int, size: tuple[int, int], place: str) -> Box | None:
    left, upper, width, height = annotation.bbox
    corners = (
        left / size[0],
        upper / size[1],
        (left + width) / size[0],
        (upper + height) / size[1],
    )
    return checked_box(number, corners, place)


def decoded(path: Path, kind: type[Decoded]) -> Decoded:
    """Parse a COCO file and check the types of what is used.

    Args:
        path: The file.
        kind: The parts that are used.

    Raises:
        DataError: It is missing, not JSON, or not in COCO's format.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})", "Check the path.") from error
    except msgspec.ValidationError as error:
        problem, _, element = str(error).partition(" - at `$")
        where = f" in {element.strip('.`')}" if element.strip(".`") else ""
        raise DataError(
            f"{path}: not in the format of COCO{where}: {problem}",
            f"Give images, categories and annotations with {', '.join(_required(kind))}.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {_json_problem(path)}", "Repair the file, or export it again.") from error


def _required(kind: type[Decoded]) -> list[str]:
    """Return the keys that an annotation must have."""
    annotation = get_args(get_type_hints(kind)["annotations"])[0]
    return [field.name for field in msgspec.structs.fields(annotation) if field.required]


def _json_problem(path: Path) -> str:
    """Return what is wrong with a file that is not JSON, with line and column."""
    import json

    try:
        json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno} is not JSON ({error.msg})"
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        return f"is not JSON ({error})"
    return "is not JSON"


def find_images(path: Path, images: list[CocoImage]) -> tuple[list[Path], dict[Identifier, tuple[int, int]]]:
    """Return the path of each image, and width and height by its id.

    Raises:
        DataError: There are no images, an id occurs twice, or an image is missing or has another size.
    """
    require_unique([image.id for image in images], f"{path}: images")
    files = _paths(path, images)
    sizes = {
        image.id: checked_size(file, (image.width, image.height), f"{path}: images[{index}]")
        for index, (image, file) in enumerate(zip(images, files, strict=True))
    }
    return files, sizes


def _paths(path: Path, images: list[CocoImage]) -> list[Path]:
    """Return the path of each image; the folder with the first one has all.

    Raises:
        DataError: There are no images, or one is missing.
    """
    if not images:
        raise DataError(f"{path}: images is empty", "Give at least one image.")
    parent = path.parent
    beside = [folder for place in (parent, parent.resolve().parent) for folder in (place, *_folders(place))]
    folder = next((base for base in beside if (base / images[0].file_name).is_file()), None)
    if folder is None:
        looked = ", ".join(sorted({str(base) for base in beside})[:6])
        raise DataError(
            f"{path}: images[0]: there is no image {images[0].file_name} in {looked}",
            "Put the folder of images beside the file.",
        )
    files = []
    for index, image in enumerate(images):
        file = folder / image.file_name
        if not file.is_file():
            raise missing_image(file, f"{path}: images[{index}]")
        files.append(file)
    return files


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def require_unique(identifiers: Iterable[Identifier], place: str) -> None:
    """Refuse an id that occurs twice.

    Raises:
        DataError: One does.
    """
    seen: set[Identifier] = set()
    for identifier in identifiers:
        if identifier in seen:
            raise DataError(f"{place}: id {identifier} occurs twice", "Give each a number of its own.")
        seen.add(identifier)


def require_known(
    image: Identifier,
    category: int,
    numbers: Mapping[int, int],
    sizes: Mapping[Identifier, tuple[int, int]],
    place: str,
) -> None:
    """Refuse an annotation of an unknown image or category.

    Raises:
        DataError: It is of one.
    """
    if category not in numbers:
        raise DataError(
            f"{place}: category_id {category} is not in categories",
            f"Its ids are {', '.join(map(str, list(numbers)[:10]))}.",
        )
    if image not in sizes:
        raise DataError(f"{place}: image_id {image} is not in images", "Add the image.")
