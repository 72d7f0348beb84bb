from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tflite_compress.runtimes.isolated import MEMORY_LIMIT_BYTES, ChildError, run_child
from tflite_compress.support.child_process import limit_child
from tflite_compress.support.errors import ModelError

REPORT = "import resource as r; print(r.getrlimit(r.RLIMIT_AS)[0], r.getrlimit(r.RLIMIT_CORE)[0])"


def test_a_child_runs_within_its_limits() -> None:
    done = run_child(
        [sys.executable, "-c", f"input_ = __import__('time').sleep(0.2); {REPORT}"], "x", memory_bytes=1 << 30
    )
    assert done.stdout.split() == [str(1 << 30), "0"]
    with pytest.raises(AssertionError, match="MemoryError"):
        done = run_child([sys.executable, "-c", "bytearray(2 << 30)"], "x", memory_bytes=1 << 30)
        assert done.returncode == 0, done.stderr


def test_a_child_without_a_limit_keeps_that_of_its_parent() -> None:
    done = run_child([sys.executable, "-c", REPORT], "x", limit_memory=False)
    assert done.stdout.split()[0] == "-1"


def test_a_lower_limit_of_the_parent_is_kept() -> None:
    """Only an administrator may raise it: others get a PermissionError."""
    with subprocess.Popen(["sleep", "60"]) as process:
        resource.prlimit(process.pid, resource.RLIMIT_AS, (1 << 28, 1 << 29))
        assert limit_child(process.pid, 1 << 30) == 1 << 28
        assert resource.prlimit(process.pid, resource.RLIMIT_AS) == (1 << 28, 1 << 28)
        process.kill()


@pytest.mark.parametrize(
    ("limit", "cause", "text"), [(MEMORY_LIMIT_BYTES, "crash", "damaged"), (1 << 29, "memory", "512 MB")]
)
def test_a_crash_with_limited_memory_names_the_limit(limit: int, cause: str, text: str) -> None:
    """Native code that gets no memory often ends in SIGSEGV."""
    with pytest.raises(ChildError, match="SIGSEGV") as caught:
        run_child(["sh", "-c", "kill -SEGV $$"], "x", memory_bytes=limit)
    assert caught.value.cause == cause and text in f"{caught.value.message} {caught.value.hint}"


def test_a_slow_child_is_ended() -> None:
    with pytest.raises(ModelError, match=r"sleeping did not finish in 0\.3 s"):
        run_child([sys.executable, "-c", "import time; time.sleep(60)"], "sleeping", seconds=0.3)


def test_a_child_that_has_ended_is_no_error() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    limit_child(process.pid, 1 << 30)


def test_no_code_runs_between_fork_and_exec() -> None:
    sources = [path.read_text() for path in Path(ROOT / "tflite_compress").rglob("*.py")]
    assert not any("preexec_fn=" in source for source in sources)
