"""The registry of runtimes: each registers itself with its name and requirement."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tflite_compress.runtimes import by_name
from tflite_compress.runtimes.by_name import Remote, find_runtime, list_runtimes, register_runtime
from tflite_compress.runtimes.run_result import Arrays, RunResult, Runtime
from tflite_compress.support.errors import UsageError


@pytest.fixture
def echo() -> Iterator[str]:
    @register_runtime("echo", "nothing", "TEXT")
    def make(detail: str | None, remote: Remote) -> Runtime:
        def run(content: bytes, inputs: Arrays) -> RunResult:
            return RunResult(f"echo {detail} {remote.threads}", inputs)

        return run

    yield "echo"
    del by_name._ENTRIES["echo"]


def test_all_runtimes_are_registered_with_their_requirements() -> None:
    selectors = {entry.selector for entry in list_runtimes()}
    host = {"litert", "litert-gpu", "litert-gpu-f32", "litert-reference", "litert-web:wasm|webgpu"}
    assert selectors == {"adb", "emulate:DEVICE", *host, "ssh:HOST", "tflm", "vela:NPU"}
    assert all(entry.requirement for entry in list_runtimes())


def test_a_new_runtime_is_found_by_its_name(echo: str) -> None:
    result = find_runtime("echo:hello", Remote(threads=3))(b"", ())
    assert result.runtime == "echo hello 3"


@pytest.mark.parametrize("name", ["litert:x", "tflmm", "", "ssh"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        find_runtime(name, Remote())
