"""Every command the README shows is run, so that it cannot drift."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES, ROOT, Run
from tests.narrow import of_type
from tests.needs import slow
from tflite_compress import Result
from tflite_compress.cli.command_registry import all_commands

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line for block in BLOCKS for line in block.strip().splitlines() if line.startswith("tflite-compress")
]
GUIDE = (ROOT / "docs" / "on-the-device.md").read_text()
AT_HAND = [  # commands of the guide that need no Pi and no phone
    line
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    for line in block.strip().splitlines()
    if "pi@" not in line and "benchmark_model" not in line
]


@pytest.mark.slow
def test_every_command_of_the_readme_runs(run: Run, tmp_path: Path) -> None:
    assert len(COMMANDS) >= 7
    (tmp_path / "examples").symlink_to(EXAMPLES)
    for line in COMMANDS:
        code, _, err = run(*shlex.split(line)[1:])
        assert code == 0, (line, err)


def test_the_readme_has_under_900_words() -> None:
    assert len(README.split()) < 900


def test_the_table_lists_every_command() -> None:
    table = re.findall(r"^\| (`.*`) \|", README, re.MULTILINE)
    assert sorted(re.findall(r"`([a-z-]+)`", " ".join(table))) == sorted(all_commands())


@pytest.mark.parametrize(
    "line",
    [slow(line) if "emulate" in line else line for line in AT_HAND],
)
def test_the_guides_commands(
    run: Run, compressed: Path, int8_file: Path, digits_data: Path, emulator: Path, line: str
) -> None:
    in_browser = "litert-web" in line  # LiteRT.js has no inputs of type int8
    model = compressed / "raspberry-pi-4" / "digits.tflite" if in_browser else int8_file
    Path("model.tflite").write_bytes(model.read_bytes())
    Path("test.npz").write_bytes(digits_data.read_bytes())
    code, out, err = run(*shlex.split(line)[1:])
    assert code == 0 and out, (line, err)


@pytest.mark.slow
def test_the_python_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    block = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert block is not None
    names: dict[str, object] = {}
    exec(block.group(1), names)
    assert of_type(Result, names["result"]).passed


def test_the_readme_names_commands_of_dev() -> None:
    help_text = subprocess.run([ROOT / "dev"], capture_output=True, text=True, check=True).stdout
    for command in ("./dev demo", "./dev test"):
        assert f"\n{command}" in README and command in help_text
    assert "./dev test" in (ROOT / ".ci" / "run").read_text()
    assert (EXAMPLES / "digits.keras").stat().st_size + (EXAMPLES / "digits.npz").stat().st_size < 2**20
