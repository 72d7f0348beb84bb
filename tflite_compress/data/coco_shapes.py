"""COCO JSON for segmentation and pose: polygons as masks, and key points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from tflite_compress.data.annotated_boxes import class_note
from tflite_compress.data.coco_json import (
    CocoCategory,
    CocoImage,
    Identifier,
    decoded,
    find_images,
    require_known,
    require_unique,
)
from tflite_compress.data.labelled_images import LabelledImages
from tflite_compress.data.samples import IGNORED
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note

BACKGROUND = "background"


class RunLengths(msgspec.Struct):
    """Pixels of a crowd region: numbers of pixels outside and inside, alternately, column by column."""

    counts: list[int] | str


class CocoShape(msgspec.Struct):
    """An annotation with polygons: x, y, x, y, ... in pixels."""

    image_id: Identifier
    category_id: int
    segmentation: list[list[float]] | RunLengths
    iscrowd: int = 0


class CocoShapes(msgspec.Struct):
    """A COCO file with polygons."""

    images: list[CocoImage]
    annotations: list[CocoShape]
    categories: list[CocoCategory]


class CocoPose(msgspec.Struct):
    """An annotation with key points: x, y in pixels and visibility (0 not labelled) of each."""

    image_id: Identifier
    category_id: int
    keypoints: list[float]
    iscrowd: int = 0


class CocoPoses(msgspec.Struct):
    """A COCO file with key points."""

    images: list[CocoImage]
    annotations: list[CocoPose]
    categories: list[CocoCategory]


def read_masks_of(path: Path, size: tuple[int, int] | None) -> LabelledImages:
    """Read polygons as class numbers of pixels.

    Args:
        path: The file.
        size: Height and width of the masks; None for those of each image.

    Returns:
        Labels of shape (images, height, width), int64: 0 is the background, classes are numbered from 1 in
        the order of the categories' ids. Pixels of crowd regions are not scored. Later annotations cover
        earlier ones.

    Raises:
        DataError: The file is malformed, or images have different sizes and no size is given.
    """
    coco = decoded(path, CocoShapes)
    numbers, names = _numbered(coco.categories, path)
    files, sizes = find_images(path, coco.images)
    shapes: dict[Identifier, list[tuple[int, CocoShape]]] = defaultdict(list)
    for index, shape in enumerate(coco.annotations):
        place = f"{path}: annotations[{index}]"
        require_known(shape.image_id, shape.category_id, numbers, sizes, place)
        _check_polygons(shape, place)
        shapes[shape.image_id].append((numbers[shape.category_id] + 1, shape))
    masks = [_mask(shapes[image.id], sizes[image.id], size) for image in coco.images]
    for file, mask in zip(files, masks, strict=True):
        if mask.shape != masks[0].shape:
            raise DataError(
                f"{file}: has another size than the first image", "Pass --resize (in Python resize=True)."
            )
    all_names = (BACKGROUND, *names)
    return LabelledImages(tuple(files), np.stack(masks), all_names, class_note(all_names))


def _numbered(categories: list[CocoCategory], path: Path) -> tuple[dict[int, int], tuple[str, ...]]:
    """Return the number of each category by its id, and the names in this order."""
    require_unique([category.id for category in categories], f"{path}: categories")
    ordered = sorted(categories, key=lambda category: category.id)
    return {c.id: number for number, c in enumerate(ordered)}, tuple(c.name for c in ordered)


def _check_polygons(shape: CocoShape, place: str) -> None:
    hint = "Export polygons: lists of x, y, x, y, ... with at least 3 corners."
    if isinstance(shape.segmentation, RunLengths):
        if not shape.iscrowd or isinstance(shape.segmentation.counts, str):
            raise DataError(f"{place}: segmentation is run-length encoded, expected polygons", hint)
        return
    for polygon in shape.segmentation:
        if len(polygon) < 6 or len(polygon) % 2 or not np.isfinite(polygon).all():
            raise DataError(f"{place}: a polygon has {len(polygon)} numbers, expected x, y, x, y, ...", hint)


def _mask(
    shapes: Sequence[tuple[int, CocoShape]], size: tuple[int, int], wanted: tuple[int, int] | None
) -> np.ndarray:
    """Return the class numbers of one image, shape (height, width), int64."""
    width, height = size
    numbers = np.zeros((height, width), np.int64)
    for number, shape in shapes:
        if isinstance(shape.segmentation, RunLengths):
            numbers[_covered(shape.segmentation, size)] = IGNORED
            continue
        for polygon in shape.segmentation:
            numbers[_inside(np.reshape(polygon, (-1, 2)), size)] = number
    if wanted is None or numbers.shape == wanted:
        return numbers
    pairs = zip(wanted, numbers.shape, strict=True)
    rows, columns = (((np.arange(new) + 0.5) * old / new).astype(np.int64) for new, old in pairs)
    return np.asarray(numbers[rows[:, np.newaxis], columns])


def _inside(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return which pixels have their centre in a polygon, shape (height, width).

    Args:
        corners: x and y of each, shape (corners, 2).
        size: Width and height.
    """
    inside = np.zeros(size[::-1], bool)
    x, y = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        rows = np.flatnonzero((y > min(y0, y1)) & (y <= max(y0, y1)))
        if len(rows):
            crossing = x0 + (y[rows] - y0) * (x1 - x0) / (y1 - y0)
            inside[rows] ^= x > crossing[:, np.newaxis]
    return inside


def _covered(region: RunLengths, size: tuple[int, int]) -> np.ndarray:
    """Return which pixels a region has, shape (height, width)."""
    runs = [int(count) for count in region.counts]
    pixels = np.zeros(size[0] * size[1], bool)
    covered = np.repeat(np.arange(len(runs)) % 2 == 1, runs)[: len(pixels)]
    pixels[: len(covered)] = covered
    return pixels.reshape(size).T


def read_key_points(path: Path, output: tuple[int | None, ...]) -> LabelledImages:
    """Read the key points of the largest object of each image.

    Args:
        path: The file.
        output: Shape of the model's output: (batch, points, 2 or 3) or (batch, 2 * points).

    Returns:
        Labels of the shape of the output: x and y as shares of the image, and 1 for a labelled point where
        the output has a third value. Images without an object are left out; without a third value also those
        that lack a point.

    Raises:
        DataError: The file is malformed, or has another number of points than the output.
    """
    coco = decoded(path, CocoPoses)
    numbers, _ = _numbered(coco.categories, path)
    files, sizes = find_images(path, coco.images)
    points = _point_count(path, output)
    has_third = len(output) == 3 and output[-1] == 3
    best: dict[Identifier, np.ndarray] = {}
    for index, pose in enumerate(coco.annotations):
        place = f"{path}: annotations[{index}]"
        require_known(pose.image_id, pose.category_id, numbers, sizes, place)
        if len(pose.keypoints) != 3 * points:
            raise DataError(
                f"{place}: has {len(pose.keypoints)} numbers in keypoints, expected {3 * points}",
                f"Give x, y and visibility of each of the model's {points} points.",
            )
        rows = np.array(pose.keypoints, np.float64).reshape(points, 3)
        is_used = bool(rows[:, 2].any() if has_third else rows[:, 2].all())
        if is_used and not pose.iscrowd and _extent(rows) > _extent(best.get(pose.image_id)):
            best[pose.image_id] = rows
    kept = [(file, image) for file, image in zip(files, coco.images, strict=True) if image.id in best]
    if not kept:
        raise DataError(f"{path}: no image has an object with labelled key points", "Label key points.")
    labels = [_scaled(best[image.id], sizes[image.id]) for _, image in kept]
    array = np.stack(labels).astype(np.float32)[..., : 3 if has_third else 2]
    missing = len(files) - len(kept)
    text = f"{missing:,} images without key points are left out"
    notes = (Note("images-left-out", text),) if missing else ()
    shape = (len(kept), *array.shape[1:]) if len(output) == 3 else (len(kept), 2 * points)
    return LabelledImages(tuple(file for file, _ in kept), array.reshape(shape), (), notes)


def check_key_points(path: Path) -> None:
    """Check the types in a COCO file with key points, and the size of each image.

    Raises:
        DataError: The file is malformed, or an image is missing or has another size.
    """
    find_images(path, decoded(path, CocoPoses).images)


def _point_count(path: Path, output: tuple[int | None, ...]) -> int:
    if len(output) == 3 and output[1] and output[2] in (2, 3):
        return output[1]
    if len(output) == 2 and output[1] and output[1] % 2 == 0:
        return output[1] // 2
    raise DataError(
        f"{path}: an output of shape {output} holds no key points",
        "It has the shape (points, 2 or 3) or (2 * points,). Leave --annotations out for boxes.",
    )


def _extent(rows: np.ndarray | None) -> float:
    """Return the squared diagonal around labelled points; -1 without an object."""
    if rows is None:
        return -1.0
    labelled = rows[rows[:, 2] > 0, :2]
    return float(np.sum((labelled.max(axis=0) - labelled.min(axis=0)) ** 2))


def _scaled(rows: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.concatenate([rows[:, :2] / np.array(size), np.minimum(rows[:, 2:], 1)], axis=1)
