"""The Vulkan driver of the GPU accelerator: Mesa's lavapipe in software, or that of the machine's GPU.

lavapipe computes in float16 on the CPU, as a phone's GPU does, and its results repeat on every machine. It is
set up by :mod:`tflite_compress.runtimes.gpu_setup`.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import msgspec

from tflite_compress.support.cache_folder import cache_folder
from tflite_compress.support.errors import UsageError

GpuDriver = Literal["software", "device"]
VERSION = "1"
COMPLETE = "complete.json"
# Names of the accelerator's library in the wheels of ai-edge-litert: Linux, Windows, macOS.
_ACCELERATORS = (
    "libLiteRtWebGpuAccelerator.so",
    "libLiteRtWebGpuAccelerator.dll",
    "libLiteRtMetalAccelerator.dylib",
)


class InstalledDriver(msgspec.Struct, frozen=True):
    """The software driver that was set up.

    Attributes:
        version: Version of the folder's layout.
        packages: Debian packages that it consists of, with their versions.
    """

    version: str
    packages: dict[str, str]


def driver_folder() -> Path:
    """Return the folder of the software driver."""
    chosen = os.environ.get("TFLITE_COMPRESS_GPU")
    if chosen:
        return Path(chosen)
    return cache_folder() / f"gpu-{VERSION}"


def installed_driver() -> InstalledDriver | None:
    """Return the software driver that was set up; None if there is none."""
    try:
        found = msgspec.json.decode((driver_folder() / COMPLETE).read_bytes(), type=InstalledDriver)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.version == VERSION else None


def require_accelerator() -> None:
    """Check that the installed ai-edge-litert has the GPU accelerator.

    Raises:
        UsageError: It has none.
    """
    spec = find_spec("ai_edge_litert")
    folders = [Path(p) for p in (spec.submodule_search_locations or [])] if spec is not None else []
    if not any((folder / name).exists() for folder in folders for name in _ACCELERATORS):
        raise UsageError(
            f"the installed ai-edge-litert has no GPU accelerator for {sys.platform}",
            "Install ai-edge-litert 2.3.0 or later, which has it for Linux, Windows and macOS.",
        )


def driver_environment(driver: GpuDriver) -> dict[str, str]:
    """Return the environment variables with which the accelerator finds a driver.

    Args:
        driver: ``software`` for lavapipe, ``device`` for the machine's own GPU.

    Raises:
        UsageError: The accelerator is missing, or the software driver is not set up.
    """
    require_accelerator()
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"}
    if driver == "device":
        return environment
    if installed_driver() is None:
        raise UsageError("the GPU's software driver is not set up", "Run 'tflite-compress setup-gpu' once.")
    return {**environment, **software_environment(driver_folder())}


def software_environment(folder: Path) -> dict[str, str]:
    """Return the environment variables that select the software driver in a folder."""
    manifest = str(folder / "lavapipe.json")
    inherited = os.environ.get("LD_LIBRARY_PATH", "")
    return {
        "VK_ICD_FILENAMES": manifest,
        "VK_DRIVER_FILES": manifest,
        "VK_LOADER_LAYERS_DISABLE": "~all~",
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, [str(folder / "lib"), inherited])),
        "XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", str(folder)),
    }
