"""Read recordings as clips of one sampling rate and length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite_compress.data.spool import Rows
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError, UsageError
from tflite_compress.support.input_shape import show_shape
from tflite_compress.support.notes import Note

MARGIN = 4096  # frames read beyond the end of a clip, for the filter of the resampler


@dataclass(frozen=True)
class Header:
    """What the header of a recording says.

    Attributes:
        path: The file.
        rate: Sampling rate in Hz.
        frames: Length in sampling periods.
        channels: Number of channels.
    """

    path: Path
    rate: int
    frames: int
    channels: int

    def length_at(self, rate: int) -> int:
        """Return the length in sampling periods after resampling."""
        return -(-self.frames * rate // self.rate)


@dataclass(frozen=True)
class Clip:
    """What recordings become.

    Attributes:
        rate: Sampling rate in Hz.
        length: Samples of a clip.
        shape: Shape of a clip, with the dimensions of size 1 that the model's input has.
    """

    rate: int
    length: int
    shape: tuple[int, ...]


def read_headers(files: Sequence[Path]) -> list[Header]:
    """Read the headers of recordings.

    Raises:
        DataError: A file is no WAV file, or is empty.
    """
    import soundfile

    found = []
    for path in files:
        try:
            info = soundfile.info(str(path))
        except (soundfile.SoundFileError, OSError) as error:
            raise _unreadable(path, error) from error
        if info.frames == 0:
            raise DataError(f"{path}: has no samples", "Remove or replace it.")
        found.append(Header(path, int(info.samplerate), int(info.frames), int(info.channels)))
    return found


def choose_clip(
    origin: str,
    headers: Sequence[Header],
    rate: int | None,
    seconds: float | None,
    expected: TensorSpec | None,
) -> Clip:
    """Choose rate and length of the clips.

    Args:
        origin: The folder, for messages.
        headers: The headers of all recordings.
        rate: Rate in Hz that the user gave, or None.
        seconds: Length that the user gave, or None.
        expected: The model's input; None if a function computes it from clips.

    Raises:
        DataError: Recordings differ in rate or length and nothing says which counts, or the model takes no
            waveforms.
        UsageError: The length that the user gave is not that of the model's input.
    """
    first = headers[0]
    for header in headers if rate is None else ():
        if header.rate != first.rate:
            usual = Counter(h.rate for h in headers).most_common(1)[0][0]
            raise DataError(
                f"{header.path}: has {header.rate:,} Hz, and {first.path} {first.rate:,} Hz",
                f"Give the rate of the model's training; others are resampled: --rate={usual}.",
            )
    chosen = rate or first.rate
    given = None if seconds is None else max(1, round(seconds * chosen))
    takes = None if expected is None else _input_length(expected, origin)
    if given is not None and takes not in (None, given):
        raise UsageError(
            f"--clip-seconds={seconds:g}: {given:,} samples at {chosen:,} Hz, the model takes {takes:,}",
            "Leave it out, or give the --rate of the model's training.",
        )
    length = takes or given or _common_length(origin, headers, chosen)
    sizes = (length,) if expected is None else expected.shape[1:]
    return Clip(chosen, length, tuple(1 if size == 1 else length for size in sizes))


def _input_length(spec: TensorSpec, origin: str) -> int | None:
    """Return the samples that an input takes, None if any number."""
    sizes = [size for size in spec.shape[1:] if size != 1]
    if len(sizes) != 1:
        raise DataError(
            f"{origin}: input '{spec.name}' takes {show_shape(spec.shape[1:])}, not a waveform",
            "Give --preprocess=module:function, which computes it from waveforms of shape (clips, samples).",
        )
    return sizes[0]


def _common_length(origin: str, headers: Sequence[Header], rate: int) -> int:
    lengths = {header.length_at(rate) for header in headers}
    if len(lengths) > 1:
        raise DataError(
            f"{origin}: recordings have {min(lengths) / rate:.3g} to {max(lengths) / rate:.3g} s",
            f"Give the length of a sample, for example --clip-seconds={max(lengths) / rate:.3g}.",
        )
    return lengths.pop()


def read_clips(headers: Sequence[Header], clip: Clip) -> tuple[np.ndarray, tuple[Note, ...]]:
    """Read recordings: channels averaged, resampled, cut or padded with zeros at the end.

    Args:
        headers: The headers of the recordings.
        clip: What they become.

    Returns:
        Shape (recordings, *clip.shape), float32, values -1 to 1; and notes on what was changed.

    Raises:
        DataError: A recording is damaged.
    """
    gathered = Rows()
    for header in headers:
        found = _waveform(header, clip)
        row = np.zeros(clip.length, np.float32)
        row[: len(found)] = found
        gathered.append(row.reshape(clip.shape))
    return gathered.finish(), _notes(headers, clip)


def _waveform(header: Header, clip: Clip) -> np.ndarray:
    """Return a recording with one channel at the rate of the clip, no longer than it, float32."""
    import soundfile
    import soxr

    frames = -(-clip.length * header.rate // clip.rate) + MARGIN
    try:
        found, _ = soundfile.read(str(header.path), frames=frames, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(header.path, error) from error
    mono = np.asarray(np.mean(found, axis=1), np.float32)
    if not np.isfinite(mono).all():
        raise DataError(f"{header.path}: contains NaN or infinity", "Remove or replace it.")
    if header.rate != clip.rate:
        mono = np.asarray(soxr.resample(mono, header.rate, clip.rate), np.float32)
    return mono[: clip.length]


def _notes(headers: Sequence[Header], clip: Clip) -> tuple[Note, ...]:
    lengths = [header.length_at(clip.rate) for header in headers]
    counts = {
        "resampled": sum(header.rate != clip.rate for header in headers),
        "with several channels, which are averaged": sum(header.channels > 1 for header in headers),
        "shorter, with zeros at the end": sum(length < clip.length for length in lengths),
        "longer, cut at the end": sum(length > clip.length for length in lengths),
    }
    text = (
        f"{len(headers):,} recordings of {clip.length / clip.rate:.3g} s at {clip.rate:,} Hz, values -1 to 1"
    )
    changed = "".join(f"; {count:,} {what}" for what, count in counts.items() if count)
    return (Note("recordings", text + changed),)


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split()).rpartition(": ")[2].rstrip(".")
    return DataError(f"{path}: not a readable WAV file ({reason})", "Remove or replace it.")
