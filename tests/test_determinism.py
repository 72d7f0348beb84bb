"""The same manifest gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

import tflite_compress

POST_TRAINING = "float16 dynamic int8 int16x8 int4 repair-int8 repair-mixed sparse-float32".split()
PRUNING = "prune-int8 prune-float16 prune-2x4-int8 channel-prune-int8 tiny-mcu deep-compression-int8".split()
SHORT = {"epochs": 1, "min_steps": 40, "recovery_steps": 20, "rounds": 1}


def _twice(digits: Path, data: Path, recipe: str, device: str, training: bool) -> bool:
    from tflite_compress.pipeline.recipes import load_recipe

    known = {key for step in load_recipe(recipe).passes for key in step.__struct_fields__}
    overrides = {key: value for key, value in SHORT.items() if training and key in known}
    result = tflite_compress.compress(
        digits,
        device,
        recipe,
        data=data,
        out=Path("out"),
        overrides=overrides,
        bundle=False,
        details=False,
        latency_seconds=0.05,
        max_drop=1.0,
    )
    again, same = tflite_compress.repeat(Path("out/manifest.json"))
    assert same == (again.tflite.read_bytes() == result.tflite.read_bytes())
    return same


@pytest.mark.parametrize("recipe", ["int8", pytest.param("prune-int8", marks=pytest.mark.slow)])
def test_repeating_gives_the_same_bytes(digits: Path, digits_data: Path, recipe: str) -> None:
    assert _twice(digits, digits_data, recipe, "raspberry-pi-4", True)


@pytest.mark.marathon
@pytest.mark.parametrize("recipe", [r for r in POST_TRAINING if r != "int8"])
def test_post_training_recipes(digits: Path, digits_data: Path, recipe: str) -> None:
    assert _twice(digits, digits_data, recipe, "raspberry-pi-4", False)


@pytest.mark.marathon
@pytest.mark.parametrize("recipe", [r for r in PRUNING if r != "prune-int8"])
def test_pruning_recipes(digits: Path, digits_data: Path, recipe: str) -> None:
    device = "rp2040" if recipe in ("tiny-mcu", "deep-compression-int8") else "raspberry-pi-4"
    assert _twice(digits, digits_data, recipe, device, True)
