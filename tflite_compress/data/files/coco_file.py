"""Boxes, masks or key points in COCO JSON, with a folder of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from tflite_compress.data.file_source import FileSource, register_source

if TYPE_CHECKING:
    from tflite_compress.data.samples import RawData
    from tflite_compress.data.sources import ReadOptions
    from tflite_compress.models.network import TensorSpec


@register_source
@dataclass(frozen=True)
class CocoFile(FileSource):
    """A COCO file beside the folder of its images, or a folder that contains both.

    Attributes:
        annotations: What labels are: boxes, masks of the polygons, or key-points. Default: boxes.
    """

    tag: ClassVar[str] = "coco"
    described: ClassVar[str] = "a COCO .json file"
    heading: ClassVar[str] = "COCO files"

    annotations: Literal["boxes", "masks", "key-points"] | None = None

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Return True for the suffix ``.json``, and for folders with ``_annotations.coco.json``."""
        if not path.is_dir():
            return path.suffix.lower() == ".json"
        from tflite_compress.data.coco_json import coco_parts

        return coco_parts(path) is not None

    def check(self, expected: TensorSpec | None) -> None:
        """Check the annotations and the size of each image. The number of key points is checked later.

        Raises:
            DataError: An annotation is malformed, or an image is missing or has another size.
        """
        from tflite_compress.data.coco_json import read_coco
        from tflite_compress.data.coco_shapes import check_key_points, read_masks_of

        if self.annotations in (None, "boxes"):
            read_coco(Path(self.path))
            return
        for file in self._files().values():
            if self.annotations == "masks":
                read_masks_of(file, (1, 1))
            else:
                check_key_points(file)

    def read(self, options: ReadOptions) -> dict[str, RawData]:
        """Read images and boxes, masks or key points.

        Raises:
            DataError: An annotation or image is malformed, or an image has another size than the input.
        """
        from tflite_compress.data.coco_json import read_coco
        from tflite_compress.data.coco_shapes import read_key_points, read_masks_of
        from tflite_compress.data.labelled_images import read_labelled

        if self.annotations in (None, "boxes"):
            return read_labelled(read_coco(Path(self.path)), options, self.path)
        shape = options.outputs[0].shape if options.outputs else options.input.shape
        if self.annotations == "masks":
            height, width = shape[1:3] if len(shape) == 4 else (None, None)
            size = (height, width) if options.resize and height and width else None
            found = {part: read_masks_of(file, size) for part, file in self._files().items()}
        else:
            found = {part: read_key_points(file, tuple(shape)) for part, file in self._files().items()}
        return read_labelled(found, options, self.path)

    def _files(self) -> dict[str, Path]:
        """Return the file of each part."""
        from tflite_compress.data.coco_json import coco_parts

        path = Path(self.path)
        parts = coco_parts(path) if path.is_dir() else None
        return parts or {"all": path}
