"""Options that messages, help and documentation name exist."""

from __future__ import annotations

import ast
import contextlib
import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from fire.parser import DefaultParseValue

from tests.conftest import ROOT
from tflite_compress.cli.command_registry import all_commands
from tflite_compress.cli.fire_adapter import resolve
from tflite_compress.cli.recipe_settings import setting_names
from tflite_compress.pipeline.overrides import has_setting, override
from tflite_compress.pipeline.recipes import load_recipe
from tflite_compress.profiles.toml_files import bundled_names
from tflite_compress.support.errors import ConfigError

OPTION = re.compile(r"(?<![\w(-])--[a-z][\w.-]*(?:=[\w-]+)?")
# Options of programs that are called: the runner on a device, benchmark_model, Vela, pip, ldconfig, npm; and
# --by, how properties of the network graph's style sheet begin.
OF_OTHER_PROGRAMS = set(
    """--vectors --sequence --reference --watch-stdin --warmup_runs --num_runs --num_threads
    --use_xnnpack --use_gpu --keyring
    --gpu_precision_loss_allowed --use_nnapi --output-dir --accelerator-config --config --system-config
    --memory-mode --no-deps --only-binary --python-version --implementation --abi --platform
    --print-architecture --ignore-scripts --no-audit --no-fund --prefix --by""".split()
)
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def known_options() -> set[str]:
    options = {option.flag for command in all_commands().values() for option in command.options.values()}
    denied = {f"--no-{flag[2:]}" for flag in options}
    settings = {f"--{name.replace('_', '-')}" for name in setting_names()}
    return {*options, *denied, *settings, "--help", "--version", "--debug", "--no"}


@functools.cache
def message_texts() -> list[tuple[str, str]]:
    """Every text in the package, with the place of it."""
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", node.value)
        for path in sorted((ROOT / "tflite_compress").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def named_options() -> Iterator[tuple[str, str]]:
    """Every option in a text of the package, with the place of it."""
    for place, text in message_texts():
        for found in OPTION.findall(text):
            yield place, found.rstrip(".-")


def test_every_option_that_a_message_names_exists() -> None:
    known = known_options() | OF_OTHER_PROGRAMS
    unknown = [(place, word) for place, word in named_options() if word.partition("=")[0] not in known]
    assert unknown == []


def test_every_recipe_that_a_message_names_exists() -> None:
    found = {word.partition("=")[2] for _, word in named_options() if word.startswith("--recipe=")}
    assert found and found <= {*bundled_names("recipes"), "mine"}


SUGGESTED = re.compile(r"(?<![\w(-])--([a-z][\w-]*)=([a-z0-9][\w.%:,=-]*)")


def suggested_values() -> set[tuple[str, str]]:
    """Every option with a value in a text of the package that is no argument of another program."""
    found = {
        (name, value.rstrip(".,:")) for _, text in message_texts() for name, value in SUGGESTED.findall(text)
    }
    return {(name, value) for name, value in found if f"--{name}" in known_options()}


def accepts(name: str, value: str) -> bool:
    """True if a command reads the value, or a recipe takes it for a setting."""
    key = name.replace("-", "_")
    for command in all_commands().values():
        if key in command.options:
            with contextlib.suppress(ValueError, KeyError):
                return command.options[key].kind.read(value) is not None
    for recipe in (load_recipe(known) for known in bundled_names("recipes")):
        if has_setting(recipe, key):
            with contextlib.suppress(ConfigError):
                return override(recipe, {key: DefaultParseValue(value)}) is not None
    return False


def test_every_value_that_a_message_suggests_is_accepted() -> None:
    found = suggested_values()
    assert len(found) > 30
    assert [(name, value) for name, value in sorted(found) if not accepts(name, value)] == []


def test_every_command_that_a_message_quotes_is_valid() -> None:
    quoted = {
        line for _, text in message_texts() for line in re.findall(r"'tflite-compress ([a-z][^']*)'", text)
    }
    assert len(quoted) > 5
    for line in quoted:
        name, *words = shlex.split(line.partition(" > ")[0])
        assert name in all_commands()
        if words:  # a name alone stands for the command
            resolve(all_commands()[name], words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_the_documentation_is_valid(page: Path) -> None:
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        for line in re.findall(r"^tflite-compress (.*)$", block.replace("\\\n", " "), re.MULTILINE):
            name, *words = shlex.split(line, comments=True)
            words = words[: words.index(">")] if ">" in words else words
            if name not in ("--help", "--version") and "--help" not in words:
                resolve(all_commands()[name], words)
