"""Recipes and device profiles from strangers: absurd values are named, nothing hangs or leaves its folder."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tflite_compress.pipeline.recipes import load_recipe
from tflite_compress.profiles.devices import load_device
from tflite_compress.profiles.toml_files import MAX_BYTES, bundled_folder
from tflite_compress.support.errors import ConfigError

RECIPE = """
name = "mine"
summary = "my own"
[[passes]]
pass = "prune"
{setting}
[[passes]]
pass = "convert"
precision = "int8"
"""


@pytest.mark.parametrize(
    "setting",
    [
        "[passes.training]\nepochs = 1000000000000",
        "[passes.training]\nepochs = -1",
        f"[passes.training]\nepochs = {10**30}",
        "[passes.training]\nepochs = 1e300",
        "sparsity = 1.0",
        "sparsity = nan",
        "sparsity = -inf",
        "[passes.training]\nlearning_rate = inf",
        "[passes.training]\nlearning_rate = nan",
        "[passes.training]\nlearning_rate = 0",
        "[passes.training]\nbatch_size = 0",
        "[passes.training]\nbatch_size = 9223372036854775807",
        "block_size = [1, 99999999999]",
        "[passes.training]\nmin_steps = true",
        "[passes.training]\nepochs = 1979-05-27",
        'frequency = "often"',
    ],
)
def test_absurd_settings_are_named(tmp_path: Path, setting: str) -> None:
    (tmp_path / "mine.toml").write_text(RECIPE.format(setting=setting))
    with pytest.raises(ConfigError, match=setting.splitlines()[-1].split()[0]):
        load_recipe("mine.toml")


def test_absurd_settings_of_fallbacks_are_named(tmp_path: Path) -> None:
    for setting in (
        'sparsity = "x"',
        "sparsity = nan",
        'precision = "int9"',
        'passes = "x"',
        "sparsity = []",
    ):
        (tmp_path / "mine.toml").write_text(RECIPE.format(setting="") + f"[[fallbacks]]\n{setting}\n")
        with pytest.raises(ConfigError, match=r"mine\.toml: fallbacks: .*" + setting.split()[0]):
            load_recipe("mine.toml")


@pytest.mark.parametrize("name", ["../../x", "a/b", "", ".hidden", "x" * 300, "a\\u0000b"])
def test_names_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    device = (bundled_folder("devices") / "rp2040.toml").read_text()
    (tmp_path / "board.toml").write_text(device.replace('name = "rp2040"', f'name = "{name}"', 1))
    with pytest.raises(ConfigError, match=r"board\.toml: name: "):
        load_device("board.toml")
    recipe = RECIPE.format(setting="").replace('"mine"', f'"{name}"')
    (tmp_path / "mine.toml").write_text(recipe)
    with pytest.raises(ConfigError, match=r"mine\.toml: name: "):
        load_recipe("mine.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x = " + b"[" * 3_000, "nested too deeply"),
        (b"x = " + b"{a=" * 1_000, "nested too deeply"),
        (b"x" + b".x" * 100_000 + b" = 1", "line of more than"),
        (b"x" + b".x" * 1_900 + b" = 1", "x"),
        (b"x = [" + b"[\n" * 50_000, "nested too deeply"),
        (b"x = " + b"9" * 3_900, "number|out of range|x"),
        (b"\xff\xfe", "not valid TOML"),
        (b"\x00" * 100, "not valid TOML"),
        (b"#" * (MAX_BYTES + 1), "larger than"),
    ],
)
def test_files_made_to_hang(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "mine.toml").write_bytes(content)
    start = time.monotonic()
    with pytest.raises(ConfigError, match=message):
        load_recipe("mine.toml")
    assert time.monotonic() - start < 20


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    """Bundled files with words swapped and bytes changed: a ConfigError, or a value that is valid."""
    rng = random.Random(0)
    refused = 0
    for path in [*bundled_folder("recipes").glob("*.toml"), *bundled_folder("devices").glob("*.toml")]:
        load = load_recipe if path.parent.name == "recipes" else load_device
        for _ in range(10):
            content = bytearray(path.read_bytes())
            for _ in range(rng.choice((1, 3, 10))):
                content[rng.randrange(len(content))] = rng.choice(b'"[]{}=.#\n09e-\xff ')
            (tmp_path / "x.toml").write_bytes(content)
            try:
                load("x.toml")
            except ConfigError as error:
                assert "x.toml" in error.message
                refused += 1
    assert refused > 150
