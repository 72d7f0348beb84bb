"""Every command of the guides is run: with a real sshd as the Pi, and a stand-in for adb and the phone."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import EXAMPLES, ROOT
from tests.needs import tool
from tests.runtimes.loopback import Server
from tests.runtimes.test_adb import LOGS, STAND_IN
from tflite_compress.cli.command_registry import all_commands
from tflite_compress.cli.fire_adapter import resolve

GUIDES = ROOT / "docs" / "guides"


def commands(name: str) -> list[str]:
    return [line for block in blocks(name, "sh") for line in block.splitlines()]


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (GUIDES / f"{name}.md").read_text(), re.DOTALL)


def write_scripts(name: str) -> None:
    """Write the Python files that a guide shows with their name."""
    text = (GUIDES / f"{name}.md").read_text()
    for file, code in re.findall(r'```python title="([^"]+)"\n(.*?)```', text, re.DOTALL):
        Path(file).write_text(code)


def require_shown(name: str, output: str) -> None:
    """Check that commands printed every line that a guide shows as output, figures aside."""
    text = (GUIDES / f"{name}.md").read_text()
    printed = without_figures(output)
    for block in re.findall(r"```text\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if not line.startswith(
                ("pip install", "✓")
            ):  # the accuracy of a training varies with the processor
                assert without_figures(line) in printed, (line, output)


def without_figures(text: str) -> str:
    return re.sub(r"\d[\d.,]*", "#", " ".join(text.split()))


def script(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A folder as the guides assume it, and programs of the test's own before all others."""
    (tmp_path / "examples").symlink_to(EXAMPLES)
    path = os.pathsep.join([str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path}


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Server]:
    """An sshd that ``ssh`` and ``scp`` reach as the guide's Pi."""
    tool("sshd", "openssh-server", "/usr/sbin")
    (tmp_path / "ssh").mkdir()
    server = Server(tmp_path / "ssh")
    options = " ".join(f"-o {option}" for option in (*server.options(), f"Port={server.port}"))
    for name in ("ssh", "scp"):
        script(tmp_path / "bin", name, f'exec {shutil.which(name)} {options} "$@"')
    yield server
    server.stop()


def follow(name: str, environment: dict[str, str], stand_ins: dict[str, str], least: int) -> str:
    """Run the commands of a guide and return what they printed."""
    lines, printed = commands(name), []
    assert len(lines) >= least
    for line in lines:
        for shown, real in stand_ins.items():
            line = line.replace(shown, real)
        done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        printed.append(done.stdout)
    return "\n".join(printed)


@pytest.mark.marathon
def test_the_microcontroller_guide_works(environment: dict[str, str]) -> None:
    tool("g++", "g++")
    follow("microcontroller", environment, {}, 8)


@pytest.mark.marathon
def test_the_raspberry_pi_guide_works(
    environment: dict[str, str], pi: Server, emulator: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    stand_ins = {
        "pi@raspberrypi": pi.name,
        "/home/pi/venv/bin/python": sys.executable,
        "/home/pi": str(tmp_path / "home"),
    }
    follow("raspberry-pi", environment, stand_ins, 10)
    assert (tmp_path / "home" / "digits" / "run_model.py").exists()


@pytest.mark.marathon
def test_the_phone_guide_works(environment: dict[str, str], tmp_path: Path) -> None:
    script(tmp_path / "bin", "adb", STAND_IN.partition("\n")[2])
    (tmp_path / "android_aarch64_benchmark_model").write_text("binary")
    phone = {"ADB_CALLS": str(tmp_path / "calls"), "ADB_DEVICES": "R58M12ABCDE\\tdevice"}
    log = {"ADB_LOG": str(LOGS / "gpu.txt")}
    follow("phone", {**environment, **phone, **log}, {}, 7)
    assert "push" in (tmp_path / "calls").read_text()


@pytest.mark.marathon
def test_phone_gpu(environment: dict[str, str], gpu_driver: Path) -> None:
    follow("phone-gpu", environment, {}, 5)


@pytest.mark.marathon
def test_browser(environment: dict[str, str]) -> None:
    tool("chromium", "chromium")
    tool("npm", "npm")
    follow("browser", environment, {}, 3)


@pytest.mark.marathon
@pytest.mark.parametrize(("name", "least", "program"), [("sensor-data", 7, "g++"), ("audio", 7, "espeak-ng")])
def test_guides_on_own_data(environment: dict[str, str], name: str, least: int, program: str) -> None:
    tool(program, program)
    tool("g++", "g++")
    write_scripts(name)
    require_shown(name, follow(name, environment, {}, least))


@pytest.mark.marathon
def test_from_notebook_to_arduino(environment: dict[str, str], tmp_path: Path) -> None:
    tool("g++", "g++")
    cells = blocks("notebook-to-arduino", "python")
    assert len(cells) == 3
    (tmp_path / "cells.py").write_text("\n".join(cells))
    done = subprocess.run([sys.executable, "cells.py"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    home = {"HOME": str(tmp_path / "home")}
    follow("notebook-to-arduino", {**environment, **home}, {}, 6)
    assert (tmp_path / "home/Arduino/libraries/digits/library.properties").exists()


@pytest.mark.marathon
def test_the_ci_guide_works(environment: dict[str, str], tmp_path: Path) -> None:
    follow("ci", environment, {}, 5)
    for folder, file in (("models", "out/gate/digits.tflite"), ("tests", "examples/digits.npz")):
        (tmp_path / folder).mkdir()
        shutil.copy(tmp_path / file, tmp_path / folder)
    steps = workflow_steps()
    for step in steps:
        done = subprocess.run(step, shell=True, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (step, done.stdout, done.stderr)
    assert sorted(page.name for page in (tmp_path / "pages").iterdir()) == ["changes.html", "check.html"]
    strict = steps[0].replace("--max-flash=128KB", "--max-flash=20KB")
    assert subprocess.run(strict, shell=True, env=environment, capture_output=True).returncode == 1


def workflow_steps() -> list[str]:
    """The commands of the workflow that the guide shows, except the installation."""
    (text,) = blocks("ci", "yaml")
    steps = yaml.safe_load(text)["jobs"]["gate"]["steps"]
    return [step["run"] for step in steps if "run" in step and "pip install" not in step["run"]]


def test_the_workflow_of_the_ci_guide_has_valid_commands() -> None:
    lines = [line for step in workflow_steps() for line in step.splitlines() if line.startswith("tflite-")]
    assert len(lines) == 3
    for line in lines:
        _, name, *words = shlex.split(line)
        resolve(all_commands()[name], words)


def test_a_command_that_fails_is_noticed(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.docs.test_guides.commands", lambda name: ["tflite-compress devices nothing"])
    with pytest.raises(AssertionError, match="nothing"):
        follow("phone", environment, {}, 1)
