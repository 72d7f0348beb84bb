"""LiteRT of a 64-bit Raspberry Pi or phone on this machine: the aarch64 binaries in QEMU's user mode.

Set it up once, from Debian's and PyPI's packages, in the user's cache folder, without root:

    python -m tflite_compress.runtimes.emulator

Outputs are those of a Raspberry Pi, and of the same code for arm64 on a phone. Emulated times say nothing
about the device.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tflite_compress.profiles.devices import Device, all_devices, load_device
from tflite_compress.runtimes.by_name import Remote, register_runtime
from tflite_compress.runtimes.isolated import (
    RUNNER,
    job_folder,
    last_line,
    run_child,
    sequence_flags,
)
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult, Runtime
from tflite_compress.runtimes.runner_reply import read_runner_reply
from tflite_compress.support.cache_folder import cache_folder
from tflite_compress.support.errors import UsageError
from tflite_compress.support.notes import Note
from tflite_compress.support.progress import Progress, Silent

VERSION = "1"
DEFAULT_DEVICE = "raspberry-pi-4"
PYTHON = "python3.11"
QEMU = "qemu-aarch64-static"
LITERT = "2.1.5"  # 2.3.0 crashes in Debian 12's QEMU 7.2
ARM_PACKAGES = (
    "python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libstdc++6 libgcc-s1 libexpat1 "
    "zlib1g libffi8 libssl3 libbz2-1.0 liblzma5 libuuid1 libgomp1"
).split()
ARM_WHEELS = (f"ai-edge-litert=={LITERT}", "numpy>=2.0,<2.3")
PURE_WHEELS = ("flatbuffers", "typing-extensions", "tqdm", "backports.strenum")
PLATFORMS = (
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
    "manylinux_2_27_aarch64",
    "manylinux_2_28_aarch64",
)


def find_folder() -> Path:
    """Return the folder of the emulated system."""
    cache = os.environ.get("TFLITE_COMPRESS_EMULATOR")
    if cache:
        return Path(cache)
    return cache_folder() / f"aarch64-{VERSION}"


def is_installed() -> bool:
    """Return True if :func:`set_up` has finished."""
    return (find_folder() / "complete").exists()


def python_command(script: Path | str, *arguments: str, cpu: str = "cortex-a72") -> list[str]:
    """Return the command that runs a script with the emulated Python.

    Args:
        script: The script.
        arguments: Its arguments.
        cpu: QEMU's name of the core.

    Raises:
        UsageError: It has not been set up.
    """
    if not is_installed():
        raise UsageError(
            "the aarch64 emulator is not set up", "Run 'tflite-compress setup-emulator' once (110 MB)."
        )
    root = find_folder() / "root"
    qemu = find_folder() / "bin" / QEMU
    return [str(qemu), "-cpu", cpu, "-L", str(root), str(root / "usr/bin" / PYTHON), str(script), *arguments]


def environment() -> dict[str, str]:
    """Return the environment variables of the emulated Python; none of this machine's but PATH."""
    root = find_folder() / "root"
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONHOME": str(root / "usr"),
        "PYTHONPATH": str(find_folder() / "site"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
    }


def emulated_runtime(device: str = DEFAULT_DEVICE) -> Runtime:
    """Return the aarch64 LiteRT as a runtime; outputs only, because emulated times are not device times.

    Args:
        device: Name or path of the profile of a device with a 64-bit Arm core.

    Raises:
        UsageError: The device's core cannot be emulated.
        ConfigError: The profile cannot be used.
    """
    profile = load_device(device)
    cpu = profile.core.qemu
    if cpu is None:
        known = ", ".join(d.name for d in all_devices() if d.core.qemu is not None)
        raise UsageError(f"the core of {profile.name} cannot be emulated", f"Choose one of {known}.")

    def run(content: bytes, inputs: Arrays) -> RunResult:
        with job_folder(content, inputs) as job:
            arguments = [f"--vectors={job / 'inputs.npz'}", "--seconds=0", "--json"]
            arguments += sequence_flags(content)
            command = python_command(RUNNER, str(job / "model.tflite"), *arguments, cpu=cpu)
            done = run_child(command, "aarch64 LiteRT", environment=environment(), limit_memory=False)
            reply, outputs, sequence = read_runner_reply(done.stdout, done.stderr, "aarch64 LiteRT", content)
        where = reply.where
        cost = Measurement("load", reply.load_ms, "ms", "simulated", "emulated, not the device's")
        name = f"{where.runtime} on {where.machine}"
        return RunResult(name, outputs, (cost,), describe_emulation(profile, cpu), sequence)

    return run


def describe_emulation(device: Device, cpu: str) -> tuple[Note, ...]:
    """Return notes on what is emulated, and what differs from the device.

    Args:
        device: The device.
        cpu: QEMU's name of the core.
    """
    text = f"emulated {cpu} (aarch64); its time says nothing about a device"
    notes = [Note("emulated", text)]
    features = ", ".join(device.core.features)
    if cpu not in device.core.name.lower():
        text = f"{device.title} has an {device.core.name} ({features}); QEMU has no such core"
        notes.append(Note("emulated-core", text))
    if device.kind == "phone":
        text = "the same XNNPACK code for arm64, but built for Linux: glibc instead of Android's libc"
        notes.append(Note("emulated-libc", text))
    return tuple(notes)


@register_runtime("emulate", "tflite-compress setup-emulator (Debian or Ubuntu)", "DEVICE")
def _make(detail: str | None, remote: Remote) -> Runtime:
    return emulated_runtime(detail or DEFAULT_DEVICE)


def set_up(progress: Progress | None = None) -> Path:
    """Download Debian's arm64 Python and QEMU, and PyPI's aarch64 wheels.

    Returns:
        The folder.

    Raises:
        UsageError: This is not Debian or Ubuntu, or a download fails.
    """
    progress = progress or Silent()
    if is_installed():
        return find_folder()
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise UsageError(
                f"{tool} is missing", "The emulator is set up from Debian packages: use Debian or Ubuntu."
            )
    target = find_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".emulator-", dir=target.parent) as name:
        work = Path(name)
        with progress.step("fetching Debian's arm64 Python and QEMU"):
            _debian(work, "arm64", ARM_PACKAGES, work / "new" / "root")
            _qemu(work)
        with progress.step("fetching the aarch64 wheels of LiteRT and NumPy"):
            _wheels(work)
        for waste in ("usr/share/doc", "usr/share/man"):
            shutil.rmtree(work / "new" / "root" / waste, ignore_errors=True)
        (work / "new" / "complete").write_text(VERSION)
        if not target.exists():
            (work / "new").rename(target)
    return target


def _debian(work: Path, architecture: str, packages: tuple[str, ...] | list[str], root: Path) -> None:
    """Unpack packages of an architecture into a folder, with separate package lists."""
    state = work / f"apt-{architecture}"
    debs = state / "debs"
    for part in ("lists/partial", "cache/archives/partial", "debs"):
        (state / part).mkdir(parents=True)
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "Dir::State::Lists": state / "lists",
        "Dir::Cache": state / "cache",
        "Dir::State::status": "/dev/null",
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        "Debug::NoLocking": "1",
    }
    apt = ["apt-get", *(f"-o{key}={value}" for key, value in options.items()), "-qq"]
    _fetch([*apt, "update"], debs)
    _fetch([*apt, "download", *packages], debs)
    root.mkdir(parents=True, exist_ok=True)
    for package in sorted(debs.glob("*.deb")):
        _fetch(["dpkg-deb", "-x", str(package), str(root)], debs)


def _qemu(work: Path) -> None:
    """Copy QEMU's static user-mode emulator: this machine's, or Debian's."""
    binaries = work / "new" / "bin"
    binaries.mkdir(parents=True)
    found = shutil.which(QEMU)
    if found is None:
        machine = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
        _debian(work, machine.stdout.strip(), ["qemu-user-static"], work / "qemu")
        found = str(work / "qemu" / "usr" / "bin" / QEMU)
    shutil.copy2(found, binaries / QEMU)


def _wheels(work: Path) -> None:
    """Unpack wheels for aarch64."""
    wheels, site = work / "wheels", work / "new" / "site"
    pip = [*_pip(), "download", "-q", "--no-deps", "-d", str(wheels)]
    binary = ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp", "--abi=cp311"]
    _fetch([*pip, *binary, *(f"--platform={p}" for p in PLATFORMS), *ARM_WHEELS], work)
    _fetch([*pip, *PURE_WHEELS], work)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)


def _pip() -> list[str]:
    """Return a command that runs pip: of this environment, or of its base Python if it has none (uv)."""
    base = str(getattr(sys, "_base_executable", "") or sys.executable)
    for command in ([sys.executable, "-m", "pip"], [base, "-m", "pip"], ["pip"], ["pip3"]):
        try:
            subprocess.run([*command, "--version"], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    raise UsageError("pip is missing: it fetches the emulator's wheels", "Run 'python -m ensurepip'.")


def _fetch(command: list[str], where: Path) -> None:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = last_line(done.stderr) or last_line(done.stdout)
        raise UsageError(
            f"{command[0]} failed while setting up the emulator: {reason}",
            "Check the network, then run it again.",
        )


if __name__ == "__main__":
    print(set_up())
