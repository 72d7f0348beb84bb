"""What the tool writes stays the same, byte for byte, unless a change means to change it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.models.zoo import NAMES
from tests.recorded.fingerprints import (
    EXAMPLE_RECIPES,
    FORESTS,
    RECORD,
    example,
    forest_code,
    processor,
)

EXPECTED: dict[str, Any] = json.loads(RECORD.read_text())
SAME_PROCESSOR = processor() == EXPECTED["processor"]
PRUNED = ("prune-int8", "channel-prune-int8")
FAST = ("multi_input", "shared_layer", "conv1d")


def check_conversions(names: tuple[str, ...]) -> None:
    """In a process of its own: names of unrolled steps depend on what a process traced before."""
    command = [sys.executable, "-m", "tests.recorded.fingerprints", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    expected = {key: text for key, text in EXPECTED["conversions"].items() if key.split()[0] in names}
    if not SAME_PROCESSOR:  # sizes do not depend on the last bit of a scale
        found, expected = ({k: v.split()[0] for k, v in side.items()} for side in (found, expected))
    assert found == expected


def test_conversions_of_a_few_models() -> None:
    check_conversions(FAST)


@pytest.mark.slow
def test_conversions_of_all_models() -> None:
    check_conversions(tuple(name for name in NAMES if name not in FAST))


def check_example(recipe: str) -> None:
    found, expected = example(recipe), EXPECTED["examples"][recipe]
    if not SAME_PROCESSOR:
        found, expected = ({k: side[k] for k in ("macs", "channels", "fits")} for side in (found, expected))
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("recipe", PRUNED)
def test_the_example_pruned(recipe: str) -> None:
    check_example(recipe)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [r for r in EXAMPLE_RECIPES if r not in PRUNED])
def test_the_example(recipe: str) -> None:
    check_example(recipe)


@pytest.mark.parametrize("name", FORESTS)
def test_c_code_of_forests(name: str) -> None:
    assert forest_code(name) == EXPECTED["forests"][name]
