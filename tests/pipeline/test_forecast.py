"""Estimates of what pruning costs, and the level that a plan begins with because of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.passes.conftest import context, start
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.cost_curve import CostCurve
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.prune_channels import PruneChannels
from tflite_compress.pipeline.forecast import Forecast, begin_where_expected, find_forecast
from tflite_compress.pipeline.plan import Plan, make_plan
from tflite_compress.pipeline.recipes import load_recipe
from tflite_compress.support.progress import Silent

__all__ = ["context", "start"]

CURVE = CostCurve("sparsity", False, (0.3, 0.5, 0.8), (0.001, 0.005, 0.1), 0.05)


class Said(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def levels(plan: Plan) -> list[float]:
    return [next(p.sparsity for p in r.passes if isinstance(p, Prune)) for r in plan.candidates]


def test_training_wins_back_most_of_a_large_drop_and_little_of_a_small_one() -> None:
    assert CURVE.untrained_at(0.4) == pytest.approx(0.003)
    assert CURVE.estimated_at(0.3) == pytest.approx(0.001, rel=0.03)
    assert CURVE.estimated_at(0.8) == pytest.approx(0.1 / 3)
    assert CURVE.untrained_at(0) == 0 and CURVE.untrained_at(0.99) == 0.1


def test_levels_that_say_what_stays() -> None:
    kept = replace(CURVE, setting="target_macs", is_share_kept=True)
    assert kept.untrained_at(0.5) == pytest.approx(0.005)
    assert kept.strongest(0.2, 0.02, 0.1) == pytest.approx(1 - (CURVE.strongest(0.8, 0.02, 0.1) or 0))


def test_the_strongest_level_that_is_accepted() -> None:
    level = CURVE.strongest(0.8, 0.01, 0.1)
    assert level is not None and 0.5 < level < 0.8
    assert CURVE.estimated_at(level) <= 0.01 < CURVE.estimated_at(level + 0.01)
    assert CURVE.strongest(0.4, 0.01, 0.1) == 0.4
    assert CURVE.strongest(0.8, 0.0001, 0.1) is None


def test_a_plan_begins_with_the_level_that_is_expected_to_keep(context: Context) -> None:
    said, plan = Said(), make_plan("raspberry-pi-4", "prune-int8", {})
    asked = Forecast("prune", CURVE, 0.8)
    assert levels(plan)[0] == 0.8
    careful = begin_where_expected(plan, asked, replace(context, max_drop=0.01, progress=said))
    level = CURVE.strongest(0.8, 0.01, 0.1) or 0.0
    weaker = sorted({found for found in levels(plan) if found < level}, reverse=True)
    assert list(dict.fromkeys(levels(careful))) == [level, *weaker]
    assert len({repr(r.passes) for r in careful.candidates}) == len(careful.candidates)
    assert said.lines == [
        "80% sparsity + int8: estimated accuracy drop 3.33 points, accepted: 1 point; "
        f"beginning with {level:.0%} sparsity + int8, estimated 0.924 points"
    ]
    generous = begin_where_expected(plan, asked, replace(context, max_drop=0.05, progress=said))
    assert generous.candidates == plan.candidates
    assert said.lines[1] == "80% sparsity + int8: estimated accuracy drop 3.33 points, accepted: 5 points"


def test_without_hope_the_weakest_level_is_tried(context: Context) -> None:
    plan = make_plan("raspberry-pi-4", "prune-int8", {})
    careful = begin_where_expected(plan, Forecast("prune", CURVE, 0.8), replace(context, max_drop=0.0))
    assert set(levels(careful)) == {min(levels(plan))}


@pytest.mark.parametrize("recipe", ["prune-int8", "int8", "deep-compression-int8"])
def test_only_long_trainings_with_one_level_are_estimated(
    recipe: str, start: FloatModel, context: Context
) -> None:
    plan = Plan(make_plan("raspberry-pi-4", None, {}).device, (load_recipe(recipe),))
    assert find_forecast(plan, start, context, lambda: 1000) is None
    if recipe != "prune-int8":
        assert find_forecast(plan, start, context, lambda: 10**12) is None


@pytest.mark.parametrize(
    ("config", "setting"),
    [(Prune(), "sparsity"), (PruneChannels(target_macs=0.5, multiple=4), "target_macs")],
)
def test_a_scan_finds_that_little_costs_little(
    config: Any, setting: str, start: FloatModel, context: Context
) -> None:
    before = [w.copy() for w in start.network.handle.get_weights()]
    curve = config.scan_costs(start, context)
    assert curve is not None and curve.setting == setting
    assert list(curve.removed) == sorted(set(curve.removed)) and curve.removed[-1] > 0.5
    assert curve.untrained[0] < 0.001 and curve.untrained[0] <= curve.untrained[-1] < 0.3
    if setting == "sparsity":
        assert curve.untrained[-1] > 0.002
    assert all((a == b).all() for a, b in zip(before, start.network.handle.get_weights(), strict=True))


@pytest.mark.parametrize("config", [Prune(pattern="2:4"), PruneChannels(target_macs=0.5, target_size=0.5)])
def test_what_has_no_single_level_has_no_estimate(config: Any, start: FloatModel, context: Context) -> None:
    assert config.scan_costs(start, context) is None
