"""Large data: mapped, never taken into memory, and the same numbers as small data."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.narrow import of_type
from tflite_compress.data import spool
from tflite_compress.data.npz import read_npz
from tflite_compress.data.samples import RawData, bind
from tflite_compress.data.sources import ReadOptions, read
from tflite_compress.data.split import split
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError

IMAGES = TensorSpec("image", (None, 8, 8, 3), "float32")
CLASSES = TensorSpec("class", (None, 4), "float32")


@pytest.fixture
def tiny_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts as large is small here, so that all of it happens with kilobytes."""
    monkeypatch.setattr(spool, "LARGE_BYTES", 4000)
    monkeypatch.setattr(spool, "BLOCK_BYTES", 1500)


def is_mapped(array: object) -> bool:
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("preprocess", ["none", "unit"])
def test_large_files_give_the_same_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Any, preprocess: str
) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 255, (300, 8, 8, 3), np.uint8), generator.integers(0, 4, 300)
    save(tmp_path / "data.npz", x=x, y=y)
    found = []
    for limit in (1 << 30, 4000):
        monkeypatch.setattr(spool, "LARGE_BYTES", limit)
        monkeypatch.setattr(spool, "BLOCK_BYTES", 1500)
        raw = read(tmp_path / "data.npz", ReadOptions(IMAGES, preprocess))["all"]
        splits = split(bind(raw, (IMAGES,), (CLASSES,)), seed=1)
        found.append([splits.train, splits.calibrate, splits.evaluate])
    assert [s.sha256() for s in found[0]] == [s.sha256() for s in found[1]]
    assert not is_mapped(found[0][0].inputs[0]) and is_mapped(found[1][0].inputs[0])


@pytest.mark.usefixtures("tiny_memory")
def test_a_file_is_mapped_not_read(tmp_path: Path) -> None:
    x = np.arange(60000, dtype=np.float32).reshape(1000, 60)
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(1000))
    arrays = read_npz(tmp_path / "d.npz")
    assert is_mapped(arrays["x"]) and np.array_equal(arrays["x"], x) and not arrays["x"].flags.writeable
    assert np.array_equal(arrays["y"], np.arange(1000))


@pytest.mark.usefixtures("tiny_memory")
def test_nan_in_large_data_is_found(tmp_path: Path) -> None:
    x = np.zeros((500, 8, 8, 3), np.float32)
    x[437, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="first in sample 437"):
        bind(RawData(x, None, "here"), (IMAGES,), (CLASSES,))


@pytest.mark.usefixtures("tiny_memory")
def test_a_dataset_is_gathered_on_disk() -> None:
    from tflite_compress.support.backend import tensorflow

    x = np.random.default_rng(0).random((400, 8, 8, 3)).astype(np.float32)
    dataset = tensorflow().data.Dataset.from_tensor_slices((x, np.arange(400))).batch(32)
    raw = read(dataset, ReadOptions(IMAGES))["all"]
    assert is_mapped(raw.inputs) and np.array_equal(of_type(np.ndarray, raw.inputs), x)
    assert np.array_equal(of_type(np.ndarray, raw.labels), np.arange(400))


@pytest.mark.usefixtures("tiny_memory")
def test_images_are_gathered_on_disk(tmp_path: Path) -> None:
    from PIL import Image

    for number in range(30):
        folder = tmp_path / "data" / f"class_{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 2, 3)).save(folder / f"{number:02d}.png")
    raw = read(tmp_path / "data", ReadOptions(IMAGES))["all"]
    pixels = of_type(np.ndarray, raw.inputs)
    assert is_mapped(pixels) and pixels.shape == (30, 8, 8, 3)
    assert pixels[:15, 0, 0, 0].tolist() == list(range(0, 30, 2))


def test_nothing_is_left_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(spool, "LARGE_BYTES", 100)
    array = spool.allocate_array((1000,), np.float32)
    array[:] = 1
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_too_little_disk_space_is_refused_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"GB free"):
        spool.allocate_array((1 << 50,), np.float32)


def claiming(path: Path, shape: tuple[int, ...], dtype: str, data: bytes, compression: int) -> Path:
    import io

    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x.npy", stream.getvalue() + data)
    return path


@pytest.mark.parametrize(
    ("shape", "dtype", "data"),
    [
        ((10**10,), "<f4", b"1234"),
        ((2**62, 2**62), "<f4", b""),
        ((-5,), "<f4", b"12345678"),
        ((3,), "|O", b"\x80\x04N."),
        ((3,), "<f4", b"123"),
    ],
)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_arrays_with_false_headers_are_refused(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, data: bytes, compression: int
) -> None:
    path = claiming(tmp_path / "bad.npz", shape, dtype, data, compression)
    with pytest.raises(DataError, match=r"bad\.npz: cannot be read") as caught:
        read_npz(path)
    assert caught.value.hint


def test_an_archive_that_unpacks_larger_than_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = claiming(tmp_path / "bomb.npz", (3 * 10**8,), "|u1", bytes(3 * 10**8), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**6
    monkeypatch.setattr(spool, "LARGE_BYTES", 1 << 20)
    monkeypatch.setattr(spool, "KEPT_FREE_BYTES", 10**15)
    with pytest.raises(DataError, match="GB free"):
        read_npz(path)
