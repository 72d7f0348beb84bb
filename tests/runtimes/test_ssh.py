"""A real sshd on the loopback interface, with the emulated aarch64 Python behind it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.narrow import present
from tests.needs import tool
from tests.runtimes.loopback import Server
from tflite_compress.data.raw import random_data
from tflite_compress.runtimes import emulator as emulation
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.runtimes.ssh import Host, explain_failure, ssh_runtime
from tflite_compress.support.errors import CompressError, UsageError
from tflite_compress.tflite.tensor_specs import read_signature


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    tool("sshd", "openssh-server", "/usr/sbin")
    running = Server(tmp_path_factory.mktemp("ssh"))
    yield running
    running.stop()


@pytest.fixture
def host(server: Server) -> Iterator[Host]:
    yield Host(server.name, server.port, sys.executable, str(server.temporary), server.options())
    assert left_behind(server) == []


def left_behind(server: Server) -> list[Path]:
    """What is in the temporary folder once everything had time to end."""
    for _ in range(50):
        if not list(server.temporary.iterdir()):
            break
        time.sleep(0.1)
    return list(server.temporary.iterdir())


@pytest.fixture(scope="module")
def content(int8_file: Path) -> bytes:
    return int8_file.read_bytes()


@pytest.fixture(scope="module")
def inputs(content: bytes) -> Arrays:
    return random_data(read_signature(content), 4).raw


def test_an_emulated_pi_computes_and_measures_over_ssh(
    server: Server, host: Host, content: bytes, inputs: Arrays, emulator: Path
) -> None:
    python = server.folder / "arm-python"
    settings = " ".join(f"'{k}={v}'" for k, v in emulation.environment().items())
    command = " ".join(emulation.python_command("")[:-1])
    python.write_text(f'#!/bin/sh\nexec env -i {settings} {command} "$@"\n')
    python.chmod(0o755)
    answer = ssh_runtime(replace(host, python=str(python)), seconds=0.2)(content, inputs)
    here = host_runtime(seconds=0)(content, inputs)
    assert answer.outputs is not None and here.outputs is not None
    assert np.array_equal(answer.outputs[0], here.outputs[0])
    latency = answer.measurement("latency")
    assert latency and latency.kind == "measured" and "aarch64" in latency.source


def refused(
    host: Host, content: bytes, inputs: Arrays, seconds: float = 2.0, limit_s: float = 600
) -> CompressError:
    with pytest.raises(CompressError) as caught:
        ssh_runtime(host, seconds=seconds, limit_s=limit_s)(content, inputs)
    return caught.value


def test_keys_and_addresses(server: Server, host: Host, content: bytes, inputs: Arrays) -> None:
    assert "none of your keys" in str(
        refused(replace(host, options=server.options("stranger")), content, inputs)
    )
    assert "refuses SSH" in str(refused(replace(host, port=1), content, inputs))
    assert "no such host" in str(refused(replace(host, name="nowhere.invalid"), content, inputs))


def test_changed_and_unknown_host_keys_are_refused(
    server: Server, host: Host, content: bytes, inputs: Arrays
) -> None:
    server.knows("other_host")
    try:
        changed = refused(host, content, inputs)
        assert "host key has changed" in changed.message and "ssh-keygen -R" in present(changed.hint)
        (server.folder / "known").write_text("")
        assert "host key is not known" in refused(host, content, inputs).message
    finally:
        server.knows("host")


def test_missing_python_packages_and_folders_are_named(host: Host, content: bytes, inputs: Arrays) -> None:
    assert "Python is missing" in str(refused(replace(host, python="/no/python3"), content, inputs))
    assert "is missing on it" in str(refused(replace(host, python="/usr/bin/python3.0"), content, inputs))
    assert "cannot be written" in str(refused(replace(host, folder="/no/such/folder"), content, inputs))


def test_a_model_the_device_refuses(host: Host, inputs: Arrays) -> None:
    error = refused(host, b"\x20\0\0\0TFL3" + bytes(40), inputs)
    assert host.name in error.message


def test_a_lost_connection_leaves_nothing(server: Server, host: Host, content: bytes, inputs: Arrays) -> None:
    timer = threading.Timer(1.5, server.cut)
    timer.start()
    assert "connection was lost" in str(refused(host, content, inputs, seconds=60))
    timer.join()


def test_a_run_that_takes_too_long_leaves_nothing(host: Host, content: bytes, inputs: Arrays) -> None:
    assert "not finished in 1.5 s" in str(refused(host, content, inputs, seconds=60, limit_s=1.5))


def test_names_that_would_be_options_or_commands() -> None:
    for name in ("-oProxyCommand=id", "a;b", "$(id)", "", "a b"):
        with pytest.raises(UsageError):
            Host(name)
    with pytest.raises(UsageError):
        Host("pi", python="python3; rm -rf /")


def test_failures_are_explained_by_exit_code_and_output() -> None:
    assert "disk is full" in explain_failure("pi", "tar: x: No space left on device", 74).message
    assert (
        "does not answer"
        in explain_failure("pi", "ssh: connect to host pi port 22: Connection timed out", 255).message
    )
    assert "memory" in explain_failure("pi", "", 137).message
    assert "crashes" in explain_failure("pi", "", 139).message
