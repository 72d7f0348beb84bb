"""Boxes in Pascal VOC's XML files."""

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
class VocFolder(FileSource):
    """A folder with ``Annotations/`` and ``JPEGImages/``, or with XML files beside the images."""

    tag: ClassVar[str] = "voc"
    described: ClassVar[str] = "a Pascal VOC folder"
    heading: ClassVar[str] = "Pascal VOC folders"

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Return True for folders with XML files."""
        folders = (path / "Annotations", path)
        return any(next(folder.glob("*.xml"), None) is not None for folder in folders if folder.is_dir())

    def check(self, expected: TensorSpec | None) -> None:
        """Check the annotations and the size of each image.

        Raises:
            DataError: A file is malformed, or an image is missing or has another size.
        """
        from tflite_compress.data.voc_xml import read_voc

        read_voc(Path(self.path))

    def read(self, options: ReadOptions) -> dict[str, RawData]:
        """Read images and boxes.

        Raises:
            DataError: A file or image is malformed, or an image has another size than the input.
        """
        from tflite_compress.data.labelled_images import read_labelled
        from tflite_compress.data.voc_xml import read_voc

        return read_labelled(read_voc(Path(self.path)), options, self.path)
