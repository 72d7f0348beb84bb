"""Images with a mask of class numbers for each."""

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
class MaskFolder(FileSource):
    """A folder with ``images/`` and ``masks/``, or with masks such as ``x_mask.png`` beside the images."""

    tag: ClassVar[str] = "masks"
    described: ClassVar[str] = "a folder of images and masks"
    heading: ClassVar[str] = "Folders of masks"

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Return True for folders with such subfolders or such files."""
        if not path.is_dir():
            return False
        from tflite_compress.data.mask_folder import has_masks_beside, mask_folders

        return mask_folders(path) is not None or has_masks_beside(path)

    def check(self, expected: TensorSpec | None) -> None:
        """Check that every image has a mask of its size without colours.

        Raises:
            DataError: One has none, or a mask has no image, colours or another size.
        """
        from tflite_compress.data.mask_folder import check_masks, find_masks

        for masked in find_masks(Path(self.path)).values():
            check_masks(masked)

    def read(self, options: ReadOptions) -> dict[str, RawData]:
        """Read images and masks. Masks are resized to the model's output, images to its input.

        Raises:
            DataError: A mask has no image, colours, another size or an unknown class, or an image cannot be
                read.
        """
        from tflite_compress.data.annotated_boxes import class_note
        from tflite_compress.data.labelled_images import LabelledImages, read_labelled
        from tflite_compress.data.mask_folder import find_masks, read_masks

        output = options.outputs[0] if len(options.outputs) == 1 else options.input
        is_map = len(output.shape) == 4
        height, width = output.shape[1:3] if is_map else (None, None)
        size = (height, width) if options.resize and height and width else None
        classes = output.shape[3] if is_map and options.outputs else None
        found = {}
        for part, masked in find_masks(Path(self.path)).items():
            labels, notes = read_masks(masked, size, classes)
            notes = (*class_note(masked.class_names), *notes)
            found[part] = LabelledImages(masked.files, labels, masked.class_names, notes)
        return read_labelled(found, options, self.path)
