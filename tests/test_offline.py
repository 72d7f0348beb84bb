"""No network: everything works in a namespace without interfaces, and nothing so much as asks for a host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Python imports this by itself when it starts. It notes every attempt to reach another machine.
WATCH = """
import os, sys

def note(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], (str, bytes)):
        return  # a socket file on this machine
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        with open(os.environ["WATCHED"], "a") as file:
            file.write(f"{event} {arguments}\\n")

sys.addaudithook(note)
"""
TELEMETRY = (
    "MLFLOW_DISABLE_TELEMETRY",
    "RAY_USAGE_STATS_ENABLED",
    "DO_NOT_TRACK",
    "PYTEST_CURRENT_TEST",
    "CI",
)


@pytest.fixture(scope="module")
def namespace() -> list[str]:
    """The command that runs another without network interfaces."""
    command = ["unshare", "-n"] if os.getuid() == 0 else ["unshare", "-rn"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine allows no network namespace")
    return command


@pytest.fixture
def watched(tmp_path: Path) -> dict[str, str]:
    """An environment whose Pythons note what they connect to; nothing in it switches telemetry off."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    path = os.pathsep.join([str(tmp_path / "watch"), *(p or os.getcwd() for p in sys.path)])
    kept = {k: v for k, v in os.environ.items() if k not in TELEMETRY}
    return {**kept, "PYTHONPATH": path, "WATCHED": str(tmp_path / "attempts")}


def test_the_watch_sees_an_attempt(namespace: list[str], watched: dict[str, str]) -> None:
    program = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    done = subprocess.run(
        [*namespace, sys.executable, "-c", program], env=watched, capture_output=True, text=True
    )
    assert done.returncode and "unreachable" in done.stderr
    assert "192.0.2.1" in Path(watched["WATCHED"]).read_text()


@pytest.mark.slow
def test_the_main_job_and_the_export_without_network(
    namespace: list[str], watched: dict[str, str], digits: Path, digits_data: Path, tmp_path: Path
) -> None:
    command, ledger = [*namespace, sys.executable, "-m", "tflite_compress"], "--ledger=runs.sqlite"
    for arguments in (
        ["compress", str(digits), "--device=rp2040", f"--data={digits_data}", "--out=out", ledger],
        ["benchmark", "out/digits.tflite", "--seconds=0.2"],
        ["runs", ledger, "--mlflow=sqlite:///mlflow.db"],
    ):  # fmt: skip
        done = subprocess.run(
            [*command, *arguments], env=watched, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").exists() and (tmp_path / "mlflow.db").exists()
    attempts = Path(watched["WATCHED"])
    assert not attempts.exists(), attempts.read_text()
