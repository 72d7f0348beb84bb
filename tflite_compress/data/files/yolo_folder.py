"""Boxes in YOLO text files."""

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
class YoloFolder(FileSource):
    """A ``data.yaml``, its folder, or a folder with ``images/`` and ``labels/``."""

    tag: ClassVar[str] = "yolo"
    described: ClassVar[str] = "a YOLO data.yaml or folder"
    heading: ClassVar[str] = "YOLO data sets"

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Return True for the suffixes of YAML, and for folders with ``data.yaml`` or with text labels."""
        if not path.is_dir():
            return path.suffix.lower() in (".yaml", ".yml")
        from tflite_compress.data.yolo_text import is_yolo_folder

        return is_yolo_folder(path)

    def check(self, expected: TensorSpec | None) -> None:
        """Check the labels and that all images can be opened.

        Raises:
            DataError: A label is malformed, or an image is missing.
        """
        from tflite_compress.data.yolo_text import read_yolo

        read_yolo(Path(self.path))

    def read(self, options: ReadOptions) -> dict[str, RawData]:
        """Read images and boxes.

        Raises:
            DataError: A label or image is malformed, or an image has another size than the input.
        """
        from tflite_compress.data.labelled_images import read_labelled
        from tflite_compress.data.yolo_text import read_yolo

        return read_labelled(read_yolo(Path(self.path)), options, self.path)
