"""CSV files with the name of an image and its targets in each line."""

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
class ImageTable(FileSource):
    """A ``.csv`` file whose first column names images."""

    tag: ClassVar[str] = "image-table"
    described: ClassVar[str] = "a CSV file of images and targets"
    heading: ClassVar[str] = "CSV files of images"

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Return True for CSV files whose first or second line begins with the name of an image."""
        if path.suffix.lower() not in (".csv", ".tsv") or not path.is_file():
            return False
        from tflite_compress.data.target_table import names_images

        return names_images(path)

    def check(self, expected: TensorSpec | None) -> None:
        """Check the lines and that all images can be opened.

        Raises:
            DataError: A line is malformed, or an image is missing.
        """
        from tflite_compress.data.target_table import read_target_table

        read_target_table(Path(self.path))

    def read(self, options: ReadOptions) -> dict[str, RawData]:
        """Read images and targets.

        Raises:
            DataError: A line or image is malformed, or an image has another size than the input.
        """
        from tflite_compress.data.labelled_images import read_labelled
        from tflite_compress.data.target_table import read_target_table

        return read_labelled({"all": read_target_table(Path(self.path))}, options, self.path)
