"""Options that messages, help and documentation name exist."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tflite_compress.cli.command_registry import all_commands
from tflite_compress.cli.fire_adapter import resolve
from tflite_compress.cli.recipe_settings import setting_names
from tflite_compress.profiles.toml_files import bundled_names

OPTION = re.compile(r"(?<![\w(-])--[a-z][\w.-]*(?:=[\w-]+)?")
# Options of programs that are called: the runner on a device, benchmark_model, Vela, pip, ldconfig, npm.
OF_OTHER_PROGRAMS = set(
    """--vectors --sequence --reference --watch-stdin --warmup_runs --num_runs --num_threads
    --use_xnnpack --use_gpu --keyring
    --gpu_precision_loss_allowed --use_nnapi --output-dir --accelerator-config --config --system-config
    --memory-mode --no-deps --only-binary --python-version --implementation --abi --platform
    --print-architecture --ignore-scripts --no-audit --no-fund --prefix""".split()
)
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def known_options() -> set[str]:
    options = {option.flag for command in all_commands().values() for option in command.options.values()}
    denied = {f"--no-{flag[2:]}" for flag in options}
    settings = {f"--{name.replace('_', '-')}" for name in setting_names()}
    return {*options, *denied, *settings, "--help", "--version", "--debug", "--no"}


def named_options() -> Iterator[tuple[str, str]]:
    """Every option in a text of the package, with the place of it."""
    for path in sorted((ROOT / "tflite_compress").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for found in OPTION.findall(node.value):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", found.rstrip(".-")


def test_every_option_that_a_message_names_exists() -> None:
    known = known_options() | OF_OTHER_PROGRAMS
    unknown = [(place, word) for place, word in named_options() if word.partition("=")[0] not in known]
    assert unknown == []


def test_every_recipe_that_a_message_names_exists() -> None:
    found = {word.partition("=")[2] for _, word in named_options() if word.startswith("--recipe=")}
    assert found and found <= {*bundled_names("recipes"), "mine"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_the_documentation_is_valid(page: Path) -> None:
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        for line in re.findall(r"^tflite-compress (.*)$", block.replace("\\\n", " "), re.MULTILINE):
            name, *words = shlex.split(line, comments=True)
            words = words[: words.index(">")] if ">" in words else words
            if name not in ("--help", "--version") and "--help" not in words:
                resolve(all_commands()[name], words)
