"""Set up the GPU accelerator's software driver: Debian's build of lavapipe, in the user's cache folder.

Nothing needs root. Libraries that the machine already has are not fetched.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tflite_compress.runtimes.debian_packages import DebianPackage, fetch_package, unpack_libraries
from tflite_compress.runtimes.gpu_driver import (
    COMPLETE,
    VERSION,
    InstalledDriver,
    driver_folder,
    installed_driver,
    require_accelerator,
)
from tflite_compress.support.errors import UsageError
from tflite_compress.support.progress import Progress, Silent

DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
CONNECTIONS = 4
_DRIVER = "libvulkan_lvp.so"
_API = "1.4.305"  # Vulkan's version, as the package's own lvp_icd.json states it
_HINTS = {
    "darwin": "Use --gpu=device: macOS has Metal, and ai-edge-litert brings the accelerator for it.",
    "win32": "Use --gpu=device: Windows has Direct3D, and ai-edge-litert brings the accelerator for it.",
}
_TRY = """
import ctypes, sys
for name in sys.argv[1:]:
    try:
        ctypes.CDLL(name)
    except OSError:
        print(name)
"""


def set_up_gpu(progress: Progress | None = None) -> Path:
    """Fetch and unpack lavapipe and the libraries it needs that this machine lacks.

    Args:
        progress: Where to report progress.

    Returns:
        The folder.

    Raises:
        UsageError: The system is not supported, the accelerator is missing, or a download fails.
    """
    progress = progress or Silent()
    require_accelerator()
    if installed_driver() is not None:
        return driver_folder()
    packages = _wanted()
    target = driver_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".gpu-", dir=target.parent) as name:
        folder = Path(name) / "new"
        (folder / "lib").mkdir(parents=True)
        total = sum(package.bytes for package in packages)
        title = f"fetching Mesa's lavapipe and {len(packages) - 1} libraries"
        with progress.step(title, total) as advance, ThreadPoolExecutor(CONNECTIONS) as pool:
            architecture = DEBIAN_NAMES[platform.machine()]
            versions: dict[str, str] = {}
            for package, (content, version) in zip(
                packages, pool.map(lambda p: fetch_package(p, architecture), packages), strict=True
            ):
                _unpack(package, content, folder / "lib")
                versions[package.name] = version
                advance(package.bytes)
                if version != package.version:
                    progress.say(
                        f"{package.name} {package.version} is no longer served: took {version}, "
                        "checked against Debian's signed index"
                    )
        manifest = {
            "file_format_version": "1.0.0",
            "ICD": {"library_path": f"lib/{_DRIVER}", "api_version": _API},
        }
        (folder / "lavapipe.json").write_bytes(msgspec.json.encode(manifest))
        (folder / COMPLETE).write_bytes(msgspec.json.encode(InstalledDriver(VERSION, versions)))
        if installed_driver() is not None:  # another process was faster
            return target
        shutil.rmtree(target, ignore_errors=True)  # damaged
        folder.rename(target)
    return target


def _wanted() -> list[DebianPackage]:
    """Return the packages whose libraries this machine lacks, the driver first."""
    machine = platform.machine()
    pinned = msgspec.json.decode(
        Path(__file__).with_name("gpu_packages.json").read_bytes(), type=dict[str, list[DebianPackage]]
    )
    if sys.platform != "linux" or machine not in pinned:
        raise UsageError(
            f"the software driver is built for Linux on {' and '.join(pinned)}, "
            f"and this is {sys.platform} on {machine}",
            _HINTS.get(sys.platform, "Install a Vulkan driver for the machine's GPU, and use --gpu=device."),
        )
    packages = pinned[machine]
    missing = _missing([name for package in packages for name in package.libraries])
    return [p for p in packages if _DRIVER in p.libraries or missing & set(p.libraries)]


def _missing(libraries: list[str]) -> set[str]:
    """Return the libraries that the system's loader does not find."""
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    done = subprocess.run(
        [sys.executable, "-c", _TRY, *libraries], capture_output=True, text=True, check=False, env=environment
    )
    return set(done.stdout.split()) if done.returncode == 0 else set(libraries)


def _unpack(package: DebianPackage, content: bytes, folder: Path) -> None:
    """Keep the libraries that are used of a package."""
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as name:
        for path in unpack_libraries(content, Path(name)):
            if path.name in package.libraries:
                shutil.move(path, folder / path.name)
