"""Run the candidates of a plan in order until one keeps the accuracy and the limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tflite_compress.passes import Context, ConvertedModel, FloatModel, Model, PassConfig, Stage
from tflite_compress.passes.values import same_model
from tflite_compress.pipeline.memo import Memo
from tflite_compress.pipeline.plan import Plan
from tflite_compress.pipeline.recipes import Recipe, describe, in_words
from tflite_compress.pipeline.time_share import with_share
from tflite_compress.runtimes.litert import predict
from tflite_compress.scoring.gpu_score import GpuCheck, GpuEvaluation
from tflite_compress.scoring.reference import Outputs, Reference, Score
from tflite_compress.support.errors import ConversionError, StructureError


@dataclass(frozen=True)
class Step:
    """The result of one pass.

    Attributes:
        name: Tag of the pass.
        config: Settings of the pass.
        seconds: Run time of the pass in seconds, without the evaluation.
        score: Accuracy after the pass.
        drop: Accuracy drop relative to the original model.
        model: The model after the pass.
        is_applied: False if the pass left the model as it was.
    """

    name: str
    config: PassConfig
    seconds: float
    score: Score
    drop: float
    model: Model
    is_applied: bool = True


@dataclass(frozen=True)
class Attempt:
    """The result of one candidate on one device.

    Attributes:
        recipe: The recipe as run.
        steps: The passes that finished, in order.
        outputs: Outputs of the finished file on the evaluation samples; None if the attempt failed.
        error: Why the attempt failed, or None.
        violation: Which limit of the user the file exceeds, or None.
        is_structural: True if it failed by the model's structure, which other integer recipes fail by too.
        on_gpu: The check in float16 on the GPU accelerator; None for a device without a GPU, and where the
            file failed before.
    """

    recipe: Recipe
    steps: tuple[Step, ...]
    outputs: Outputs | None
    error: str | None = None
    violation: str | None = None
    is_structural: bool = False
    on_gpu: GpuEvaluation | None = None

    @property
    def gpu(self) -> GpuCheck | None:
        """The check in float16 on the GPU accelerator."""
        return None if self.on_gpu is None else self.on_gpu.check

    @property
    def drop(self) -> float:
        """Accuracy drop of the finished file, on the device's GPU if it is larger there.

        It is infinite if there is no file, and if an output is NaN or infinite on the GPU.
        """
        if self.outputs is None:
            return float("inf")
        return max(self.steps[-1].drop, self.gpu.judged_drop if self.gpu is not None else float("-inf"))

    @property
    def fault(self) -> str | None:
        """Which output is NaN, infinite or beyond float16's range on the GPU; None if none is."""
        return None if self.gpu is None or self.gpu.score is None else self.gpu.score.fault

    @property
    def summary(self) -> str:
        """What its passes did, in a few words. Passes that left the model as it was are left out."""
        asked = [config.summary() for config in self.recipe.passes[len(self.steps) :]]
        done = [step.config.outcome(step.model) for step in self.steps if step.is_applied]
        return in_words([*done, *asked])

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


def run_plan(
    plan: Plan,
    start: FloatModel,
    context: Context,
    memo: Memo,
    max_drop: float,
    check: bool,
    violation: Callable[[ConvertedModel], str | None] = lambda model: None,
    check_gpu: Callable[[Attempt], GpuEvaluation | None] = lambda attempt: None,
) -> list[Attempt]:
    """Run the candidates in order until one has at most ``max_drop`` and exceeds no limit.

    Args:
        plan: Candidates for a device.
        start: The original model.
        context: Data, teacher, seed and progress.
        memo: Results shared with other plans.
        max_drop: Maximum accuracy drop.
        check: False if there are no data to measure accuracy; the accuracy drop is then ignored.
        violation: Returns which limit a file exceeds, or None.
        check_gpu: Checks a file that keeps the accuracy on the CPU on the device's GPU; None if it has none.

    Returns:
        The attempts in order. If any passed, it is the last.
    """
    attempts: list[Attempt] = []
    for index, recipe in enumerate(plan.candidates):
        if attempts and _pointless(recipe, attempts[-1], max_drop, check):
            continue
        attempt = run_recipe(recipe, start, context, memo)
        if attempt.outputs is not None and (not check or attempt.drop <= max_drop):
            attempt = replace(attempt, on_gpu=check_gpu(attempt))
        good = attempt.outputs is not None and (not check or attempt.drop <= max_drop)
        if good:
            attempt = replace(attempt, violation=violation(attempt.model))
        attempts.append(attempt)
        if good and not attempt.violation:
            break
        left = [r for r in plan.candidates[index + 1 :] if not _pointless(r, attempt, max_drop, check)]
        if left and context.budget.is_used and any(a.outputs is not None for a in attempts):
            context.budget.cut(f"{len(left)} fallbacks not tried")
            break
        if left:
            reason = (
                attempt.error or attempt.violation or _describe_drop(attempt, max_drop, context.reference)
            )
            context.progress.say(
                f"{plan.device.name}: {describe(recipe)}: {reason}; trying {describe(left[0])}"
            )
    return attempts


def _describe_drop(attempt: Attempt, max_drop: float, reference: Reference) -> str:
    """Return the drop of a finished attempt and the accepted one, with the output that decides."""
    if attempt.fault is not None:
        return attempt.fault
    if attempt.drop > attempt.steps[-1].drop:
        metric, accepted = reference.metrics[0], reference.metrics[0].drop_in_words(max_drop)
        return f"accuracy drop on the GPU {metric.drop_in_words(attempt.drop)}, accepted: {accepted}"
    worst = reference.worst_of(attempt.steps[-1].score)
    metric, several = reference.metrics[worst], len(reference.metrics) > 1
    where = f" of output '{reference.scored_names[worst]}'" if several else ""
    drop, accepted = metric.drop_in_words(attempt.drop), metric.drop_in_words(max_drop)
    return f"accuracy drop{where} {drop}, accepted: {accepted}"


def _pointless(recipe: Recipe, before: Attempt, max_drop: float, check: bool) -> bool:
    """Return True for a candidate that cannot fix the failure of the attempt before."""
    if before.is_structural and recipe.conversion.needs_calibration:
        return True
    if before.violation:
        return _as_large(recipe, before.recipe)
    if not check or not any(p.stage is Stage.REPAIR for p in recipe.passes):
        return False
    trained = [tuple(p for p in r.passes if p.needs_training) for r in (recipe, before.recipe)]
    in_training = [step.drop for step in before.steps if step.config.needs_training]
    return trained[0] == trained[1] and any(drop > max_drop for drop in in_training[-1:])


def _as_large(recipe: Recipe, before: Recipe) -> bool:
    """Return True for a candidate whose file is not smaller: it adds repairs or has a wider precision."""
    if recipe.for_forests:
        return True  # fallbacks of passes for trees remove less
    rest, earlier = (tuple(p for p in r.passes if p.changes_size) for r in (recipe, before))
    wider = ("int8", "int16x8", "dynamic", "float16", "float32")
    types = [wider.index(r.conversion.precision) for r in (recipe, before)]
    trains = any(p.needs_training for p in rest)
    return rest == earlier or (not trains and types[0] > types[1])


def run_recipe(recipe: Recipe, start: FloatModel, context: Context, memo: Memo) -> Attempt:
    """Run the passes of a recipe in order and evaluate the model after each.

    A ConversionError ends the attempt, which records its message.
    """
    try:
        _require(recipe, start)
    except ConversionError as error:
        return Attempt(recipe, (), None, error.message, is_structural=isinstance(error, StructureError))
    model: Model = start
    steps: list[Step] = []
    outputs: Outputs | None = None
    for index in range(len(recipe.passes)):
        chain = recipe.passes[: index + 1]
        config = chain[-1]
        before = model
        try:
            model, seconds = memo.run(chain, model, with_share(context, recipe.passes, index))
            if config.preserves_outputs and outputs is not None:
                score = steps[-1].score  # the pass has checked that no output changes
            else:
                score, outputs = memo.score(chain, lambda m=model: _check(m, context))  # type: ignore[misc]
        except ConversionError as error:
            structural = isinstance(error, StructureError)
            return Attempt(recipe, tuple(steps), None, error.message, is_structural=structural)
        drop = context.reference.drop_of(score)
        applied = not same_model(before, model)
        steps.append(Step(config.tag(), config, seconds, score, drop, model, applied))
    return Attempt(recipe, tuple(steps), outputs)


def _require(recipe: Recipe, start: FloatModel) -> None:
    """Check the model's structure before a training whose result could not be converted.

    Raises:
        ConversionError: A pass cannot work on the model.
    """
    if any(config.needs_training for config in recipe.passes):
        for config in recipe.passes:
            config.require(start)


def best(attempts: list[Attempt], max_drop: float) -> Attempt | None:
    """Return the last attempt that passed, else the finished one with the smallest accuracy drop.

    Args:
        attempts: The attempts in order.
        max_drop: Maximum accuracy drop.

    Returns:
        The attempt, or None if none finished.
    """
    finished = [a for a in attempts if a.outputs is not None]
    fitting = [a for a in finished if a.drop <= max_drop and not a.violation]
    if fitting:
        return fitting[-1]
    return min(finished, key=lambda a: a.drop) if finished else None


def _check(model: Model, context: Context) -> tuple[Score, Outputs]:
    """Return the score and the outputs of a model on the evaluation samples."""
    if isinstance(model, FloatModel):
        return context.shared.once("score", model.network, None, lambda: _score(model, context))
    return _score(model, context)


def _score(model: Model, context: Context) -> tuple[Score, Outputs]:
    samples = context.reference.splits.evaluate.inputs
    with context.progress.step("evaluating"):
        if isinstance(model, FloatModel):
            reference = context.reference
            is_original = model.network is reference.network
            outputs = reference.evaluation_outputs if is_original else model.network.predict(samples)
        else:
            parts = predict(model.flatbuffer, samples, *model.network.tensor_names)
            outputs = model.network.joined(parts)
    return context.reference.score_of(outputs), outputs
