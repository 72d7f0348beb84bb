"""Folders of WAV files with one subfolder per class, or without classes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tflite_compress.data.file_source import FileSource, register_source
from tflite_compress.data.files.image_folder import IMAGE_SUFFIXES
from tflite_compress.support.errors import DataError
from tflite_compress.support.packages import require_extra

if TYPE_CHECKING:
    from tflite_compress.data.samples import RawData
    from tflite_compress.data.sources import ReadOptions
    from tflite_compress.models.network import TensorSpec
    from tflite_compress.support.notes import Note

SUFFIX = ".wav"


@register_source
@dataclass(frozen=True)
class AudioFolder(FileSource):
    """A folder with one subfolder of WAV files per class, or WAV files without classes.

    Attributes:
        rate: Sampling rate in Hz that the model was trained with. Other recordings are resampled. Default:
            that of the recordings, which is to be the same for all.
        clip_seconds: Length of a clip. Longer recordings are cut at the end, shorter ones get zeros. Default:
            that of the model's input.
        classes: Names of the classes in the order of the model's outputs. Default: in sorted order.
    """

    tag: ClassVar[str] = "audio"
    described: ClassVar[str] = "a folder of WAV files with one subfolder per class"
    heading: ClassVar[str] = "Folders of WAV files"

    rate: int | None = None
    clip_seconds: float | None = None
    classes: tuple[str, ...] | None = None

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Return True for a folder whose first file with sound or an image is a WAV file."""
        if not path.is_dir():
            return False
        names = (name for _, _, files in os.walk(path) for name in files)
        suffixes = (os.path.splitext(name)[1].lower() for name in names)
        return next((suffix for suffix in suffixes if suffix in {SUFFIX, *IMAGE_SUFFIXES}), None) == SUFFIX

    def check(self, expected: TensorSpec | None) -> None:
        """Check headers and rates of all recordings, and that the model takes waveforms.

        Raises:
            DataError: A recording cannot be read or has another rate, or the model takes no waveforms.
            MissingPackageError: A package that reads them is not installed.
        """
        require_extra("audio", self.path)
        from tflite_compress.data.clips import choose_clip, read_headers

        files, _, _ = list_recordings(Path(self.path))
        choose_clip(self.path, read_headers(files), self.rate, self.clip_seconds, expected)

    def read(self, options: ReadOptions) -> dict[str, RawData]:
        """Read the recordings as waveforms of one length and rate, values -1 to 1.

        Raises:
            DataError: A recording cannot be read or has another rate, the names of the classes do not fit the
                model, or it takes no waveforms.
            UsageError: The settings contradict the model.
        """
        require_extra("audio", self.path)
        import numpy as np

        from tflite_compress.data.class_numbers import choose_class_names, number_classes, numbering_note
        from tflite_compress.data.clips import choose_clip, read_clips, read_headers
        from tflite_compress.data.samples import RawData

        files, words, folders = list_recordings(Path(self.path))
        expected = options.input if options.keeps_shape else None
        headers = read_headers(files)
        clip = choose_clip(self.path, headers, self.rate, self.clip_seconds, expected)
        names: tuple[str, ...] = ()
        notes: tuple[Note, ...] = ()
        labels = None
        if folders:
            output = options.outputs[0] if len(options.outputs) == 1 else None
            names = choose_class_names(folders, self.classes, output, self.path)
            labels = number_classes(np.array(words, object), names, lambda index: str(files[index]))
            notes = () if self.classes else (numbering_note(names),)
        found, read_notes = read_clips(headers, clip)
        return {"all": RawData(found, labels, self.path, names, (*read_notes, *notes))}


def list_recordings(folder: Path) -> tuple[list[Path], list[str], tuple[str, ...]]:
    """Return the WAV files of a folder, the class name of each, and the names of all classes.

    Args:
        folder: One subfolder of WAV files per class, or WAV files without classes.

    Raises:
        DataError: There are none, or one is in no class although others are.
    """
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    found = [(path, sub.name) for sub in classes or [folder] for path in _recordings(sub)]
    if not found:
        raise DataError(f"{folder}: contains no WAV files", "Put WAV files into one subfolder per class.")
    loose = [path for path in folder.iterdir() if path.is_file() and path.suffix.lower() == SUFFIX]
    if classes and loose:
        raise DataError(
            f"{min(loose)}: is in no subfolder of a class",
            "Move it into the subfolder of its class, or remove it.",
        )
    return [path for path, _ in found], [name for _, name in found], tuple(sub.name for sub in classes)


def _recordings(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() == SUFFIX and not p.name.startswith("."))
