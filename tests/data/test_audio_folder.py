"""Folders of WAV files: clips of the model's length and rate, and each malformed folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.narrow import present
from tflite_compress.data.file_source import find_source
from tflite_compress.data.files.audio_folder import AudioFolder
from tflite_compress.data.files.image_folder import ImageFolder
from tflite_compress.data.samples import Samples, bind
from tflite_compress.data.sources import ReadOptions, read
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import CompressError, DataError

soundfile = pytest.importorskip("soundfile")
Run = Callable[..., tuple[int, str, str]]
WAVE = TensorSpec("wave", (None, 800, 1), "float32")
OUT = TensorSpec("out", (None, 2), "float32")


def tone(path: Path, hertz: float = 100, rate: int = 8000, frames: int = 800, channels: int = 1) -> Path:
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(frames) / rate)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([wave, *[np.zeros(frames)] * (channels - 1)], axis=1), rate)
    return path


@pytest.fixture
def words(tmp_path: Path) -> Path:
    tone(tmp_path / "words" / "yes" / "1.wav")
    tone(tmp_path / "words" / "yes" / "2.WAV", frames=500)
    tone(tmp_path / "words" / "no" / "1.wav", frames=900, channels=2)
    return tmp_path / "words"


def samples(source: AudioFolder, spec: TensorSpec = WAVE) -> Samples:
    return bind(read(source, ReadOptions(spec, outputs=(OUT,)))["all"], (spec,), (OUT,))


def test_clips_have_the_length_of_the_input(words: Path) -> None:
    found = samples(AudioFolder(str(words)))
    assert found.inputs[0].shape == (3, 800, 1) and found.inputs[0].dtype == np.float32
    assert present(found.labels)[0].tolist() == [0, 1, 1] and found.class_names == ("no", "yes")
    no, yes, short = found.inputs[0][..., 0]
    assert abs(yes).max() == pytest.approx(0.5, abs=1e-4) and np.allclose(no, yes / 2, atol=1e-4)
    assert np.array_equal(short[:500], yes[:500]) and not short[500:].any()
    assert found.notes[0].text == (
        "3 recordings of 0.1 s at 8,000 Hz, values -1 to 1; 1 with several channels, which are averaged; "
        "1 shorter, with zeros at the end; 1 longer, cut at the end"
    )
    assert "0 = no, 1 = yes" in found.notes[1].text
    other = samples(AudioFolder(str(words), classes=("yes", "no")), TensorSpec("w", (None, 800), "float32"))
    assert other.inputs[0].shape == (3, 800) and present(other.labels)[0].tolist() == [1, 0, 0]


def test_other_rates_are_resampled(words: Path) -> None:
    tone(words / "no" / "2.wav", rate=16000, frames=1600)
    with pytest.raises(DataError, match=r"no/2\.wav: has 16,000 Hz, and .*no/1\.wav 8,000 Hz\n.*--rate=8000"):
        samples(AudioFolder(str(words)))
    found = samples(AudioFolder(str(words), rate=8000))
    assert found.notes[0].text.startswith("4 recordings of 0.1 s at 8,000 Hz, values -1 to 1; 1 resampled")
    assert np.allclose(found.inputs[0][1][50:-50], found.inputs[0][2][50:-50], atol=0.01)


def test_a_function_computes_the_input_from_waveforms(words: Path) -> None:
    features = TensorSpec("f", (None, 2), "float32")

    def loudness(clips: np.ndarray) -> np.ndarray:
        return np.stack([abs(clips).max(axis=1), abs(clips).mean(axis=1)], axis=1)

    options = ReadOptions(features, loudness, outputs=(OUT,))
    with pytest.raises(DataError, match=r"recordings have 0\.0625 to 0\.113 s\n.*--clip-seconds=0\.113"):
        read(AudioFolder(str(words)), options)
    raw = read(AudioFolder(str(words), clip_seconds=0.1), options)["all"]
    assert bind(raw, (features,), (OUT,)).inputs[0][1].tolist() == pytest.approx([0.5, 0.318], abs=0.01)


def test_a_folder_is_recognized_by_its_files(words: Path, tmp_path: Path) -> None:
    assert find_source(words) == AudioFolder(str(words))
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    (tmp_path / "flat").mkdir()
    Image.new("L", (2, 2)).save(tmp_path / "flat" / "a.png")
    assert find_source(tmp_path / "flat") == ImageFolder(str(tmp_path / "flat"))
    tone(tmp_path / "loose" / "1.wav")
    assert samples(AudioFolder(str(tmp_path / "loose"))).labels is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: (d / "yes" / "1.wav").write_text("RIFF"), "yes/1.wav: not a readable WAV file"),
        (lambda d: tone(d / "yes" / "3.wav", frames=0), "yes/3.wav: has no samples"),
        (lambda d: tone(d / "3.wav"), "3.wav: is in no subfolder of a class"),
        (lambda d: tone(d / "up" / "3.wav"), "3 class names (no, up, yes), the model has 2 classes"),
        (lambda d: tone(d / "yes" / "3.wav", rate=16000), "yes/3.wav: has 16,000 Hz, and "),
        (lambda d: [path.unlink() for path in d.rglob("*.[wW]*")], "contains no WAV files"),
        (
            lambda d: soundfile.write(d / "no" / "1.wav", np.full(9, np.nan), 8000, "FLOAT"),
            "no/1.wav: contains NaN or infinity",
        ),
    ],
)
def test_a_malformed_folder(words: Path, change: Callable[[Path], object], message: str) -> None:
    change(words)
    with pytest.raises(DataError) as caught:
        samples(AudioFolder(str(words)))
    assert message in caught.value.message and caught.value.hint, caught.value


def test_settings_that_do_not_fit(words: Path) -> None:
    for source, message in (
        (AudioFolder(str(words), classes=("yes", "maybe")), "no/1.wav: no class 'no'"),
        (
            AudioFolder(str(words), clip_seconds=0.2),
            "--clip-seconds=0.2: 1,600 samples at 8,000 Hz, the model",
        ),
        (AudioFolder(str(words), rate=-1), "rate=-1: expected a number greater than 0"),
    ):
        with pytest.raises(CompressError, match=message):
            samples(source)


def test_a_dry_run_checks_recordings(
    run: Run, digits: Path, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(words.parent)
    call = ("compress", digits, "--device=rp2040", "--data=words", "--dry-run")
    code, _, err = run(*call)
    assert code == 2 and "words: input 'image' takes 8 x 8 x 1, not a waveform" in err, err
    code, _, err = run(*call, "--rate=8000", "--window=3")
    assert code == 2 and "--window does not apply to words" in err, err
