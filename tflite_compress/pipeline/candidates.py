"""Running recipes: pass after pass, each result checked, until one keeps the accuracy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tflite_compress.passes import Context, ConvertedModel, FloatModel, Model, PassConfig, Stage
from tflite_compress.pipeline.plan import Plan
from tflite_compress.pipeline.recipes import Recipe, describe
from tflite_compress.runtimes.litert import predict
from tflite_compress.scoring.reference import Outputs, Score
from tflite_compress.support.errors import ConversionError


@dataclass(frozen=True)
class Step:
    """One pass, done and checked.

    Attributes:
        name: The pass.
        config: Its settings.
        seconds: Time it took, checking not included.
        score: Accuracy after it.
        drop: How much worse that is than the original.
        model: The model after it.
    """

    name: str
    config: PassConfig
    seconds: float
    score: Score
    drop: float
    model: Model


@dataclass(frozen=True)
class Attempt:
    """One recipe tried on one device.

    Attributes:
        recipe: The recipe as run.
        steps: Its passes as far as they went.
        outputs: The finished file's outputs on the evaluation samples; None if it got none.
        error: Why it ended early, or None.
        violation: Which limit of the user's the file breaks, or None.
    """

    recipe: Recipe
    steps: tuple[Step, ...]
    outputs: Outputs | None
    error: str | None = None
    violation: str | None = None

    @property
    def drop(self) -> float:
        """Accuracy lost by the finished file; infinite where there is none."""
        return self.steps[-1].drop if self.outputs is not None else float("inf")

    @property
    def model(self) -> ConvertedModel:
        """The finished model.

        Raises:
            ValueError: The attempt ended before the conversion.
        """
        last = self.steps[-1].model
        if not isinstance(last, ConvertedModel):
            raise ValueError("the attempt ended before the conversion")
        return last


@dataclass
class Memo:
    """Results of passes already run, by the chain of passes that led there.

    Several devices, and gentler versions of a recipe, share their first passes this way.
    """

    _models: dict[tuple[PassConfig, ...], tuple[Model, float]] = field(default_factory=dict)
    _scores: dict[tuple[PassConfig, ...], tuple[Score, Outputs]] = field(default_factory=dict)

    def run(self, chain: tuple[PassConfig, ...], model: Model, context: Context) -> tuple[Model, float]:
        """The model after ``chain``, of which only the last pass may not have run yet."""
        if chain not in self._models:
            start = time.perf_counter()
            result = chain[-1].run(model, context)
            self._models[chain] = (result, time.perf_counter() - start)
        return self._models[chain]

    def score(
        self, chain: tuple[PassConfig, ...], compute: Callable[[], tuple[Score, Outputs]]
    ) -> tuple[Score, Outputs]:
        """The score after ``chain``, computed once."""
        if chain not in self._scores:
            self._scores[chain] = compute()
        return self._scores[chain]


def run_plan(
    plan: Plan,
    start: FloatModel,
    context: Context,
    memo: Memo,
    max_drop: float,
    check: bool,
    violation: Callable[[ConvertedModel], str | None] = lambda model: None,
) -> list[Attempt]:
    """Try a plan's recipes in order until one loses at most ``max_drop`` and keeps the user's limits.

    Args:
        plan: Recipes for a device.
        start: The original model.
        context: Data, teacher, seed and progress.
        memo: Results to share with other plans.
        max_drop: Accuracy that may be lost.
        check: False where there is no data to check accuracy on; the first recipe then counts.
        violation: Says which limit a file exceeds; None if none.

    Returns:
        The attempts; the last one passed if any did.
    """
    attempts: list[Attempt] = []
    for index, recipe in enumerate(plan.candidates):
        if attempts and _pointless(recipe, attempts[-1], max_drop, check):
            continue
        attempt = run_recipe(recipe, start, context, memo)
        good = attempt.outputs is not None and (not check or attempt.drop <= max_drop)
        if good:
            attempt = replace(attempt, violation=violation(attempt.model))
        attempts.append(attempt)
        if good and not attempt.violation:
            break
        left = [r for r in plan.candidates[index + 1 :] if not _pointless(r, attempt, max_drop, check)]
        if left:
            lost = f"loses {attempt.drop:.4f}, more than {max_drop:g}"
            reason = attempt.error or attempt.violation or lost
            context.progress.say(
                f"{plan.device.name}: {describe(recipe)}: {reason}; trying {describe(left[0])}"
            )
    return attempts


def _pointless(recipe: Recipe, before: Attempt, max_drop: float, check: bool) -> bool:
    """True for a recipe that cannot mend what the attempt before it failed on."""
    if before.violation:
        return _as_large(recipe, before.recipe)
    if not check or not any(p.stage is Stage.REPAIR for p in recipe.passes):
        return False
    trained = [tuple(p for p in r.passes if p.needs_training) for r in (recipe, before.recipe)]
    in_training = [step.drop for step in before.steps if step.config.needs_training]
    return trained[0] == trained[1] and any(drop > max_drop for drop in in_training[-1:])


def _as_large(recipe: Recipe, before: Recipe) -> bool:
    """True where a recipe gives a file no smaller: the one before with repairs, or with wider numbers."""
    if recipe.for_forests:
        return True  # gentler passes for trees cut less
    rest, earlier = (tuple(p for p in r.passes if p.changes_size) for r in (recipe, before))
    wider = ("int8", "int16x8", "dynamic", "float16", "float32")
    types = [wider.index(r.conversion.precision) for r in (recipe, before)]
    trains = any(p.needs_training for p in rest)
    return rest == earlier or (not trains and types[0] > types[1])


def run_recipe(recipe: Recipe, start: FloatModel, context: Context, memo: Memo) -> Attempt:
    """Run a recipe's passes in order, checking the model after each.

    A refusal by the converter or the runtime ends the attempt and is recorded in it.
    """
    model: Model = start
    steps: list[Step] = []
    outputs: Outputs | None = None
    for index in range(len(recipe.passes)):
        chain = recipe.passes[: index + 1]
        config = chain[-1]
        try:
            model, seconds = memo.run(chain, model, context)
            if config.preserves_outputs and outputs is not None:
                score = steps[-1].score  # the pass itself made sure that no output changed
            else:
                score, outputs = memo.score(chain, lambda m=model: _check(m, context))  # type: ignore[misc]
        except ConversionError as error:
            return Attempt(recipe, tuple(steps), None, error.message)
        drop = context.reference.drop_of(score)
        steps.append(Step(config.tag(), config, seconds, score, drop, model))
    return Attempt(recipe, tuple(steps), outputs)


def best(attempts: list[Attempt], max_drop: float) -> Attempt | None:
    """The attempt to keep: the last, if it is accurate enough and fits; else the one that lost least.

    Args:
        attempts: What was tried, in order.
        max_drop: Accuracy that may be lost.
    """
    finished = [a for a in attempts if a.outputs is not None]
    fitting = [a for a in finished if a.drop <= max_drop and not a.violation]
    if fitting:
        return fitting[-1]
    return min(finished, key=lambda a: a.drop) if finished else None


def _check(model: Model, context: Context) -> tuple[Score, Outputs]:
    """Run the model on the evaluation samples, in the runtime it is made for, and score it."""
    samples = context.reference.splits.evaluate.inputs
    with context.progress.step("evaluating"):
        if isinstance(model, FloatModel):
            outputs = model.network.predict(samples)
        else:
            outputs = predict(model.flatbuffer, samples, *model.network.tensor_names)
    return context.reference.score_of(outputs), outputs
