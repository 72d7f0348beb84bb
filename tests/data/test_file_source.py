"""A kind of data file is one module: the example of the guide is read, checked, recorded and an option."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.conftest import ROOT
from tflite_compress.cli.source_options import source_groups
from tflite_compress.compression.recorded_arguments import recorded_spec
from tflite_compress.data import file_source
from tflite_compress.data.file_source import FileSource, find_source, with_settings
from tflite_compress.data.sources import ReadOptions, read
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError, UsageError

VECTOR = TensorSpec("x", (None, 4), "float32")


@pytest.fixture
def npy_kind(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FileSource]]:
    """The kind that docs/adding.md shows, known until the test ends."""
    text = (ROOT / "docs" / "adding.md").read_text()
    (code,) = (c for c in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "register_source" in c)
    module = ModuleType("npy_file")
    monkeypatch.setitem(sys.modules, "npy_file", module)
    exec(code, module.__dict__)
    caches = (file_source.all_kinds, source_groups)
    for cached in caches:
        cached.cache_clear()
    yield module.NpyFile
    del file_source.REGISTERED["npy"]
    for cached in caches:
        cached.cache_clear()


def test_a_kind_is_read_by_its_path_or_with_settings(npy_kind: type[FileSource], tmp_path: Path) -> None:
    path = tmp_path / "d.npy"
    np.save(path, np.arange(24).reshape(6, 4))
    assert np.asarray(read(path, ReadOptions(VECTOR))["all"].inputs).shape == (6, 4)
    every: FileSource = npy_kind(str(path), every=2)  # type: ignore[call-arg]
    assert np.asarray(read(every, ReadOptions(VECTOR))["all"].inputs)[:, 0].tolist() == [0, 8, 16]
    with pytest.raises(DataError, match=r"gone\.npy: no such file"):
        npy_kind("gone.npy").check(None)


def test_its_settings_are_options(npy_kind: type[FileSource]) -> None:
    assert with_settings({"data": "d.npy"}, {"every": 3}) == {"data": npy_kind("d.npy", every=3)}  # type: ignore[call-arg]
    (group,) = (g for g in source_groups() if "every" in g.__annotations__)
    assert group.__doc__ == ("Files of one array.\n\nAttributes:\n    every: Read every Nth sample only.\n")
    with pytest.raises(UsageError, match=r"--every does not apply to d\.npz\nIt is for Files of one array"):
        with_settings({"data": "d.npz"}, {"every": 3})
    with pytest.raises(UsageError, match="--every was given without data"):
        with_settings({}, {"every": 3})


def test_it_is_recorded_in_manifests(npy_kind: type[FileSource]) -> None:
    source = npy_kind("d.npy", every=3)  # type: ignore[call-arg]
    record = {"data": source.as_record(), "train": None, "resize": False}
    assert record["data"] == {"kind": "npy", "path": "d.npy", "every": 3}
    assert recorded_spec(record).data == source
    with pytest.raises(UsageError, match="the unknown kind 'gone'"):
        recorded_spec({"data": {"kind": "gone", "path": "d"}})


def test_wrong_settings_are_refused(npy_kind: type[FileSource]) -> None:
    for value, message in ((0, "every=0: expected a number greater than 0"), ("a", "got 'str' - at 'every'")):
        with pytest.raises(UsageError, match=rf"d\.npy: .*{message}"):
            find_source(npy_kind("d.npy", every=value))  # type: ignore[call-arg]


def test_unknown_paths_name_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("x")
    with pytest.raises(DataError, match=r"(?s)d\.txt: no kind of file.*an \.npz file.*a folder of images"):
        find_source(tmp_path / "d.txt")
