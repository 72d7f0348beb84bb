from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.adaround import AdaRound
from tflite_compress.passes.cluster import Cluster
from tflite_compress.passes.encode import Encode
from tflite_compress.passes.int4 import Int4
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.prune_channels import PruneChannels
from tflite_compress.pipeline.recipes import as_toml, load_recipe
from tflite_compress.profiles.devices import load_device
from tflite_compress.searching.sensitivity import as_json, measure_space
from tflite_compress.searching.space import (
    Effort,
    Narrow,
    Space,
    Width,
    recipe_of,
    stages_of,
    starting_points,
    suggest,
)

PI, NANO = load_device("raspberry-pi-4"), load_device("arduino-nano-33-ble")
SPACE = Space(
    PI,
    (Width("a", ("a", "a.2"), (1.0, 0.5)), Width("b", ("b",), (1.0, 0.25))),
    (Narrow("b", ("b",), 1e-6), Narrow("the rest", ("c", "d"), 1e-4)),
    (1.0, 0.4),
    False,
    False,
    ("int8", "float16"),
)
MICRO = replace(SPACE, device=NANO, shares=True, encodes=True, precisions=("int8",))


def test_every_point_is_a_recipe_that_can_be_read_back(tmp_path: Path) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    kinds = set()
    for space in (SPACE, MICRO):
        for number in range(20):
            values = suggest(study.ask(), space)
            for effort in stages_of(values, (Effort(0, False), Effort(500, True))):
                recipe = recipe_of(values, space, effort, f"p-{number}")
                (tmp_path / "r.toml").write_text(as_toml(recipe))
                assert load_recipe(str(tmp_path / "r.toml")) == recipe
                kinds |= {type(p) for p in recipe.passes}
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    assert {PruneChannels, Prune, Cluster, Int4, AdaRound, Encode} <= kinds


@pytest.mark.parametrize(("steps", "is_solved_for"), [(0, True), (200, False)])
def test_only_what_is_not_trained_is_solved_for(steps: int, is_solved_for: bool) -> None:
    values = {"keep:a": 0.5, "keep:b": 1.0, "precision": "int8"}
    pruned = recipe_of(values, SPACE, Effort(steps, False), "p").passes[0]
    assert isinstance(pruned, PruneChannels) and pruned.reconstruct == is_solved_for


def test_what_a_point_says_is_what_the_recipe_does() -> None:
    values = {"keep:a": 0.5, "keep:b": 1.0, "precision": "int8", "bits:b": 4, "bits:the rest": 8}
    passes = recipe_of(values, SPACE, Effort(300, True), "p").passes
    assert isinstance(passes[0], PruneChannels)
    assert passes[0].keep == ("^a$=0.5", "^a\\.2$=0.5") and passes[0].training.min_steps == 300
    assert passes[0].multiple == PI.precisions.channel_multiple and passes[0].training.epochs == 0
    four = next(p for p in passes if isinstance(p, Int4))
    assert four.exclude == ("^c$", "^d$") and four.max_calibration_drop == 1 and "CONV_2D" in four.operators


def test_the_first_points_come_from_the_sensitivity() -> None:
    points = starting_points(SPACE)
    assert points[0] == {"keep:a": 1.0, "keep:b": 1.0, "precision": "int8", "bits:b": 8, "bits:the rest": 8}
    assert {"keep:a": 0.5, "keep:b": 0.25, "precision": "int8", "bits:b": 4, "bits:the rest": 8} in points
    assert any(p.get("clusters") == 16 for p in starting_points(MICRO))
    assert not any("clusters" in p for p in points)


def test_points_without_training_have_no_training_rungs() -> None:
    efforts = (Effort(0, False), Effort(500, False), Effort(900, True))
    assert stages_of({"keep:a": 1.0, "bits:b": 4}, efforts) == (Effort(0, False), Effort(0, True))
    assert stages_of({"keep:a": 0.5}, efforts) == efforts and stages_of({"clusters": 16}, efforts) == efforts


@pytest.mark.parametrize("name", ["raspberry-pi-4", "arduino-nano-33-ble", "coral-edge-tpu"])
def test_the_sensitivity_of_a_model(context: Context, start: FloatModel, name: str) -> None:
    device = load_device(name)
    space = measure_space(start, device, ("size",), context)
    assert space.encodes is space.shares is device.runtime.decodes_weights
    assert bool(space.narrow) is bool(device.runtime.four_bit)
    assert [n.noise for n in space.narrow] == sorted(n.noise for n in space.narrow)
    layers = {layer.name for layer in start.network.handle.layers}
    assert all({*w.layers} <= layers and w.starts[0] == 1.0 for w in space.widths)
    assert all(list(w.starts) == sorted(w.starts, reverse=True) for w in space.widths)
    channels: Any = as_json(space)["channels"]
    assert len(space.widths) >= 2 and channels[0]["kept"]["1.0"] == 1.0
