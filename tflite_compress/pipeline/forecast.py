"""Estimate before a long training what a level of pruning costs, and begin at one expected to be kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from tflite_compress.passes import Context, FloatModel, PassConfig
from tflite_compress.pipeline.overrides import override
from tflite_compress.pipeline.plan import Plan
from tflite_compress.pipeline.recipes import Recipe, describe
from tflite_compress.support.errors import CompressError

if TYPE_CHECKING:
    from tflite_compress.passes.cost_curve import CostCurve
    from tflite_compress.scoring.metrics import Metric

MIN_REMOVED = 0.1
# Multiply-accumulates of a training above which it is worth an estimate: about a minute on two cores.
LONG_TRAINING = 1e12
FORWARD_AND_BACKWARD = 3


@dataclass(frozen=True)
class Forecast:
    """What a level of pruning is estimated to cost.

    Attributes:
        step: Tag of the pass.
        curve: Accuracy drop by level.
        asked: The level asked for.
    """

    step: str
    curve: CostCurve
    asked: float

    def level_of(self, recipe: Recipe) -> float | None:
        """Return the level of a candidate; None for one without the pass."""
        found = [config for config in recipe.passes if config.tag() == self.step]
        return float(getattr(found[0], self.curve.setting)) if found else None

    def in_words(self, asked: Plan, expected: Plan, metric: Metric, max_drop: float) -> str:
        """Return the estimate as one line for the log.

        Args:
            asked: The plan as it was.
            expected: The plan that follows from the estimate.
            metric: The metric that drops.
            max_drop: Accepted accuracy drop.
        """
        first = expected.candidates[0]
        text = (
            f"{describe(asked.candidates[0])}: estimated accuracy drop "
            f"{self._drop(self.asked, metric)}, accepted: {metric.drop_in_words(max_drop)}"
        )
        level = self.level_of(first)
        if level is None or level == self.asked:
            return text
        return f"{text}; beginning with {describe(first)}, estimated {self._drop(level, metric)}"

    def _drop(self, level: float, metric: Metric) -> str:
        return metric.drop_in_words(self.curve.estimated_at(level))


def find_forecast(
    plan: Plan, start: FloatModel, context: Context, count_macs: Callable[[], int]
) -> Forecast | None:
    """Estimate what the first candidate of a plan costs.

    Args:
        plan: Candidates for a device.
        start: The original model.
        context: Data, seed and progress.
        count_macs: Returns the multiply-accumulates of one inference of the original.

    Returns:
        The estimate; None where the only pass that trains has no level that can be estimated, and where its
        training is short.
    """
    recipe = plan.candidates[0]
    training = [config for config in recipe.passes if config.needs_training]
    if len(training) != 1 or not _is_long(training[0], count_macs, len(context.reference.splits.train)):
        return None
    config = training[0]
    try:
        key = msgspec.json.encode(config)
        curve = context.shared.once("costs", start.network, key, lambda: config.scan_costs(start, context))
    except CompressError:
        return None  # the pass will say it
    return None if curve is None else Forecast(config.tag(), curve, float(getattr(config, curve.setting)))


def begin_where_expected(plan: Plan, found: Forecast, context: Context) -> Plan:
    """Return the plan with no candidate of a stronger level than the strongest that is expected to keep.

    If none is expected to, the weakest level of the plan is the strongest. The log says what was estimated.

    Args:
        plan: Candidates for a device.
        found: The estimate.
        context: Accepted accuracy drop and progress.
    """
    level = found.curve.strongest(found.asked, context.max_drop, MIN_REMOVED)
    if level is None:
        levels = [found.level_of(recipe) for recipe in plan.candidates]
        level = min((own for own in levels if own is not None), key=found.curve.removed_at)
    limited: list[Recipe] = []
    for recipe in plan.candidates:
        own = found.level_of(recipe)
        if own is not None and found.curve.removed_at(own) > found.curve.removed_at(level):
            recipe = override(recipe, {f"{found.step}.{found.curve.setting}": level})
        if all(recipe.passes != earlier.passes for earlier in limited):
            limited.append(recipe)
    expected = replace(plan, candidates=tuple(limited))
    context.progress.say(found.in_words(plan, expected, context.reference.metrics[0], context.max_drop))
    return expected


def _is_long(config: PassConfig, count_macs: Callable[[], int], samples: int) -> bool:
    seen = config.count_trained(samples)
    return seen > 0 and FORWARD_AND_BACKWARD * count_macs() * seen > LONG_TRAINING
