"""A package that only the full tool installs is named, with what to install."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.narrow import present
from tflite_compress.support import version
from tflite_compress.support.packages import missing_package


@pytest.mark.parametrize(
    ("module", "install"), [("optuna.storages", "tflite-compress"), ("matplotlib.figure", "matplotlib")]
)
def test_the_hint_names_what_to_install(module: str, install: str) -> None:
    found = missing_package(ModuleNotFoundError(f"No module named '{module}'", name=module))
    assert present(present(found).hint).endswith(f"pip install {install}")


@pytest.mark.parametrize("name", ["numpy", "my_own_module", None])
def test_a_module_of_someone_else_gets_no_hint(name: str | None) -> None:
    assert missing_package(ModuleNotFoundError("No module", name=name)) is None


def test_the_command_line_names_the_missing_package(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    Path("model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    code, out, err = run("compress", "model.h5", "--device=rp2040", "--data=none.npz")
    assert (code, out) == (2, "")
    assert "h5py" in err and "pip install tflite-compress" in err and "Traceback" not in err


@pytest.mark.parametrize("installed", [version.CORE, version.FULL])
def test_the_version_is_that_of_either_distribution(installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(name: str) -> str:
        if name == installed:
            return "1.2.3"
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", look_up)
    version.tool_version.cache_clear()
    assert version.tool_version() == "1.2.3"
    version.tool_version.cache_clear()
