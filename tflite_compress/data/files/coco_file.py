"""Boxes in COCO JSON, with a folder of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tflite_compress.data.file_source import FileSource, register_source

if TYPE_CHECKING:
    from tflite_compress.data.samples import RawData
    from tflite_compress.data.sources import ReadOptions
    from tflite_compress.models.network import TensorSpec


@register_source
@dataclass(frozen=True)
class CocoFile(FileSource):
    """A COCO file beside the folder of its images, or a folder that contains both."""

    tag: ClassVar[str] = "coco"
    described: ClassVar[str] = "a COCO .json file"
    heading: ClassVar[str] = "COCO files"

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Return True for the suffix ``.json``, and for folders with ``_annotations.coco.json``."""
        if not path.is_dir():
            return path.suffix.lower() == ".json"
        from tflite_compress.data.coco_json import coco_parts

        return coco_parts(path) is not None

    def check(self, expected: TensorSpec | None) -> None:
        """Check the annotations and the size of each image.

        Raises:
            DataError: An annotation is malformed, or an image is missing or has another size.
        """
        from tflite_compress.data.coco_json import read_coco

        read_coco(Path(self.path))

    def read(self, options: ReadOptions) -> dict[str, RawData]:
        """Read images and boxes.

        Raises:
            DataError: An annotation or image is malformed, or an image has another size than the input.
        """
        from tflite_compress.data.coco_json import read_coco
        from tflite_compress.data.labelled_images import read_labelled

        return read_labelled(read_coco(Path(self.path)), options, self.path)
