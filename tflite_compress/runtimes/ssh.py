"""LiteRT on a device reached over SSH, such as a Raspberry Pi.

The system's OpenSSH client connects with the user's keys, agent and ``~/.ssh/config``. It sends model, inputs
and a single-file runner as one archive into a temporary folder. The remote shell always removes the folder
when it ends. The runner ends when the connection is lost.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import threading
from dataclasses import dataclass

from tflite_compress.runtimes.by_name import Remote, register_runtime
from tflite_compress.runtimes.isolated import (
    RUNNER,
    last_line,
    pack_inputs,
    sequence_flags,
)
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult, Runtime
from tflite_compress.runtimes.runner_reply import read_runner_reply
from tflite_compress.support.errors import CompressError, UsageError

CONNECT_S = 15
SAFE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./@:+=%,")

# Messages of OpenSSH and the remote shell, with their meaning and a hint.
_LOST = ("the connection was lost", "Check power and network of the device, then run it again.")
_SILENT = ("it does not answer", "Check that it is switched on and in your network.")
_NO_PYTHON = ("Python is missing on it", "Install it, or name it: --remote-python=/path/to/python3")
_NO_FOLDER = ("its temporary folder cannot be written", "Name another: --remote-folder=/home/pi")
_TROUBLE = {
    "REMOTE HOST IDENTIFICATION HAS CHANGED": (
        "the host key has changed",
        "Make sure that it is your device, then: ssh-keygen -R {host}",
    ),
    "Host key verification failed": (
        "its host key is not known",
        "Connect once by hand and accept it: ssh {host}",
    ),
    "Permission denied (": (
        "it accepts none of your keys",
        "Install one with 'ssh-copy-id {host}', or start your ssh-agent.",
    ),
    "Could not resolve hostname": ("there is no such host", "Check the name, or give its IP address."),
    "Connection refused": (
        "it refuses SSH connections",
        "Enable SSH on it (Raspberry Pi: sudo raspi-config), or check the port.",
    ),
    "Connection timed out": _SILENT,
    "Operation timed out": _SILENT,
    "No route to host": _SILENT,
    "closed by remote host": _LOST,
    "Connection reset": _LOST,
    "Timeout, server": _LOST,
    "Broken pipe": _LOST,
    "No space left on device": ("its disk is full", "Free some space, or name another: --remote-folder="),
    "Read-only file system": _NO_FOLDER,
    "mktemp: ": _NO_FOLDER,
    "No module named 'numpy'": ("NumPy is missing on it", "On the device: pip install numpy ai-edge-litert"),
    "No module named": ("LiteRT is missing on it", "On the device: pip install ai-edge-litert"),
    "command not found": _NO_PYTHON,
    ": not found": _NO_PYTHON,
    "No such file or directory": _NO_PYTHON,
}


@dataclass(frozen=True)
class Host:
    """An SSH host, and how to run a model on it.

    Attributes:
        name: ``user@host`` or a name from ``~/.ssh/config``.
        port: None for the default.
        python: The Python there, with numpy and ai-edge-litert.
        folder: Where temporary files go.
        options: More options for OpenSSH, as after ``-o``.
    """

    name: str
    port: int | None = None
    python: str = "python3"
    folder: str = "/tmp"
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, text in (("host", self.name), ("python", self.python), ("folder", self.folder)):
            if not text or text.startswith("-") or set(text) - SAFE:
                raise UsageError(
                    f"'{text}' is not a {what} that can be used over SSH", "For example: pi@raspberrypi"
                )


def ssh_runtime(host: Host, threads: int = 1, seconds: float = 2.0, limit_s: float = 600) -> Runtime:
    """Return LiteRT on an SSH host as a runtime.

    Args:
        host: The device.
        threads: CPU threads.
        seconds: Time to measure latency.
        limit_s: Maximum time for the whole run.
    """

    def run(content: bytes, inputs: Arrays) -> RunResult:
        flags = f"--threads={int(threads)} --seconds={float(seconds)} --json --watch-stdin"
        flags = " ".join([flags, *sequence_flags(content)])
        archive = _archive(content, inputs)
        out, err = _converse(host, _remote_script(host, len(archive), flags), archive, limit_s)
        reply, outputs, sequence = read_runner_reply(out, err, f"LiteRT on {host.name}", content)
        where, latency = reply.where, reply.latency
        how = f"on {where.model or host.name} ({where.machine}), threads: {threads}"
        costs = (
            Measurement(
                "latency", latency.median_ms, "ms", "measured", f"median of {latency.runs} runs {how}"
            ),
            Measurement("latency p90", latency.p90_ms, "ms", "measured", how),
            Measurement("load", reply.load_ms, "ms", "measured", how),
            Measurement(
                "process memory", reply.peak_kb * 1024.0, "bytes", "measured", f"peak of the process {how}"
            ),
        )
        return RunResult(f"{where.runtime} over SSH", outputs, costs, sequence=sequence)

    return run


@register_runtime("ssh", "an OpenSSH client; Python, numpy and ai-edge-litert on the host", "HOST")
def _make(detail: str | None, remote: Remote) -> Runtime:
    if detail is None:
        raise UsageError("ssh needs a host", "Name it: ssh:pi@raspberrypi")
    host = Host(detail, remote.port, remote.python, remote.folder, remote.ssh_options)
    return ssh_runtime(host, remote.threads)


def _archive(content: bytes, inputs: Arrays) -> bytes:
    stream = io.BytesIO()
    files = {"model.tflite": content, "inputs.npz": pack_inputs(inputs), "runner.py": RUNNER.read_bytes()}
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def _remote_script(host: Host, archive_bytes: int, flags: str) -> str:
    """Return the remote shell's script. The run stops when standard input closes."""
    return (
        f"d=$(mktemp -d {host.folder}/tflite-compress.XXXXXX) || exit 73; trap 'rm -rf \"$d\"' EXIT; "
        "trap 'exit 129' HUP INT TERM PIPE; "
        f'head -c {archive_bytes} | tar -xf - -C "$d" || exit 74; '
        f'{host.python} "$d/runner.py" "$d/model.tflite" --vectors="$d/inputs.npz" {flags}'
    )


def _converse(host: Host, script: str, archive: bytes, limit_s: float) -> tuple[str, str]:
    """Run the script with the archive as input, and return its standard output and standard error.

    Raises:
        UsageError: OpenSSH is missing.
        CompressError: The connection or the device fails.
    """
    ssh = shutil.which("ssh")
    if ssh is None:
        raise UsageError("OpenSSH's client is missing", "Install it: apt-get install openssh-client")
    options = ["BatchMode=yes", f"ConnectTimeout={CONNECT_S}", "ServerAliveInterval=15", *host.options]
    command = [ssh, "-T", *(f"-o{o}" for o in options)]
    command += [f"-p{int(host.port)}"] if host.port else []
    process = subprocess.Popen(
        [*command, host.name, f"/bin/sh -c {_quoted(script)}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    found: dict[str, bytes] = {}

    def drain(name: str) -> None:
        found[name] = getattr(process, name).read()

    readers = [threading.Thread(target=drain, args=(name,), daemon=True) for name in ("stdout", "stderr")]
    feeder = threading.Thread(target=_feed, args=(process, archive), daemon=True)
    for thread in (*readers, feeder):
        thread.start()
    try:
        code = process.wait(timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        raise CompressError(
            f"{host.name}: not finished in {limit_s:g} s", "Choose a smaller model."
        ) from error
    finally:
        process.kill()  # closes the connection, which ends the runner and removes its folder
        process.wait()
    for thread in readers:
        thread.join(timeout=10)
    out, err = (found.get(name, b"").decode("utf-8", "replace") for name in ("stdout", "stderr"))
    if code != 0:
        raise explain_failure(host.name, err, code)
    return out, err


def _feed(process: subprocess.Popen[bytes], archive: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(archive)
        process.stdin.flush()
    except (BrokenPipeError, OSError):
        pass  # the remote side reports the reason


def explain_failure(host: str, complaints: str, code: int) -> CompressError:
    """Return the error for a failed run, from the messages of OpenSSH or the remote shell."""
    for sign, (meaning, step) in _TROUBLE.items():
        if sign in complaints:
            return CompressError(f"{host}: {meaning}", step.format(host=host))
    if code in (-9, 137):
        return CompressError(
            f"{host}: the run was killed, perhaps for lack of memory", "Choose a smaller model."
        )
    if code in (134, 136, 139):
        return CompressError(f"{host}: LiteRT crashes on the model")
    if code == 255:  # OpenSSH's own failures
        return CompressError(f"{host}: {_LOST[0]}", _LOST[1])
    said = last_line(complaints) or f"exit code {code}"
    return CompressError(f"{host}: {said}", "Try the same by hand: ssh " + host)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
