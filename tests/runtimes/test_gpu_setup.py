"""Setting up the GPU accelerator's driver: whole or not at all, and only what the machine lacks."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from tflite_compress.runtimes import gpu_setup as module
from tflite_compress.runtimes.debian_packages import DebianPackage
from tflite_compress.runtimes.gpu_driver import installed_driver
from tflite_compress.support.errors import UsageError


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TFLITE_COMPRESS_GPU", str(tmp_path / "cache" / "gpu"))
    return tmp_path / "cache" / "gpu"


def test_the_driver_is_known_with_its_packages(gpu_driver: Path) -> None:
    found = installed_driver()
    assert found is not None and found.packages["mesa-vulkan-drivers"].startswith("25.")
    assert module.set_up_gpu() == gpu_driver  # nothing is fetched again


def test_an_interrupted_download_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(package: DebianPackage, architecture: str) -> tuple[bytes, str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "fetch_package", interrupted)
    with pytest.raises(KeyboardInterrupt):
        module.set_up_gpu()
    assert installed_driver() is None and list(folder.parent.iterdir()) == []


def test_only_libraries_that_the_machine_lacks_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_missing", lambda names: {"libLLVM-15.so.1"})
    assert [p.name for p in module._wanted()] == ["mesa-vulkan-drivers", "libllvm15"]


def test_missing_libraries_are_found_by_loading_them() -> None:
    assert module._missing(["libc.so.6", "libnowhere.so.9"]) == {"libnowhere.so.9"}


@pytest.mark.parametrize(
    ("system", "machine", "hint"),
    [("darwin", "arm64", "Metal"), ("win32", "AMD64", "Direct3D"), ("linux", "riscv64", "Vulkan driver")],
)
def test_other_systems_are_told_what_to_use(
    system: str, machine: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(UsageError, match=f"and this is {system} on {machine}") as caught:
        module._wanted()
    assert hint in str(caught.value.hint)
