"""Folders of images with one subfolder per class, or without classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tflite_compress.data.file_source import FileSource, register_source
from tflite_compress.data.image_parts import part_names
from tflite_compress.support.errors import DataError

if TYPE_CHECKING:
    from tflite_compress.data.samples import RawData
    from tflite_compress.data.sources import ReadOptions
    from tflite_compress.models.network import TensorSpec

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"})


@register_source
@dataclass(frozen=True)
class ImageFolder(FileSource):
    """A folder with one subfolder of images per class, or images without classes.

    Subfolders ``train`` and ``val`` with such contents divide the images.
    """

    tag: ClassVar[str] = "images"
    described: ClassVar[str] = "a folder of images with one subfolder per class"
    heading: ClassVar[str] = "Folders of images"
    is_general: ClassVar[bool] = True

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Return True for every folder."""
        return path.is_dir()

    def check(self, expected: TensorSpec | None) -> None:
        """Check that there are images.

        Raises:
            DataError: There are none.
        """
        for folder in self._parts().values():
            list_images(folder)

    def read(self, options: ReadOptions) -> dict[str, RawData]:
        """Read the images in the size and channels of the model's input.

        Raises:
            DataError: There are none, or one cannot be read or has another size.
        """
        import numpy as np

        from tflite_compress.data.images import UNSCALED_PIXELS, read_images
        from tflite_compress.data.samples import RawData

        notes = () if options.preprocess != "none" else (UNSCALED_PIXELS,)
        found = {}
        for part, folder in self._parts().items():
            files, labels, classes = list_images(folder)
            images = read_images(files, options.input, options.resize)
            y = np.asarray(labels, dtype=np.int64) if classes else None
            found[part] = RawData(images, y, str(folder), classes, notes)
        return found

    def _parts(self) -> dict[str, Path]:
        """Return the folder of each part: ``train`` and ``val``, or all."""
        folder = Path(self.path)
        names = part_names(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        return {"all": folder} if names is None else {part: folder / name for part, name in names.items()}


def list_images(folder: Path) -> tuple[list[Path], list[int], tuple[str, ...]]:
    """Return the images of a folder, the class number of each, and the names of the classes.

    Args:
        folder: One subfolder of images per class, or images without classes.

    Raises:
        DataError: There are none.
    """
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    files: list[Path] = []
    labels: list[int] = []
    for number, sub in enumerate(classes or [folder]):
        found = sorted(p for p in sub.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        files += found
        labels += [number] * len(found)
    if not files:
        raise DataError(
            f"{folder}: contains no images",
            f"Put images ({', '.join(sorted(IMAGE_SUFFIXES))}) into one subfolder per class.",
        )
    return files, labels, tuple(p.name for p in classes)
