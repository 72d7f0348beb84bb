"""Choose the task, the head and the metric of an output."""

from __future__ import annotations

from typing import NamedTuple, TypeGuard

from tflite_compress.scoring.default_metric import CLOSENESS, default_metric, fitting_metric, hardly_varies
from tflite_compress.scoring.joint_output import JointOutput, ModelSample
from tflite_compress.scoring.metrics import METRICS, Head, Metric, ScoreFunction, decide, resolve_metric
from tflite_compress.scoring.task_registry import all_tasks, find_task, infer_task, metric_of_task
from tflite_compress.scoring.task_types import OutputSample, Task
from tflite_compress.support.errors import UsageError, closest
from tflite_compress.support.references import reference_name

ANY_HEAD = Head("regression", False)  # names of a task's metrics are alike for all heads


class OutputMeaning(NamedTuple):
    """What an output means and how it is scored.

    Attributes:
        head: Its meaning for training.
        metric: Its metric.
        task: Its task; None where values and loss decided the head.
    """

    head: Head
    metric: Metric
    task: Task | None


def named_tasks(names: str) -> tuple[Task, ...]:
    """Return the tasks of names that are separated by commas.

    Raises:
        UsageError: There is no such task.
    """
    return tuple(find_task(name.strip()) for name in names.split(","))


def tasks_of_outputs(names: str | None, outputs: int) -> tuple[Task | None, ...]:
    """Return the task that a user named for each output, None to infer it.

    Args:
        names: One name for all outputs, or one for each, separated by commas; None to infer all.
        outputs: Number of outputs.

    Raises:
        UsageError: There is no such task, or the number of names is another.
    """
    if names is None:
        return (None,) * outputs
    found = named_tasks(names)
    if len(found) not in (1, outputs):
        raise UsageError(
            f"--task={names}: names {len(found)} tasks for a model with {outputs} output(s)",
            "Name one task for all outputs, or one for each in their order.",
        )
    return found if len(found) == outputs else found * outputs


def joint_task(names: str | None, metric: str | ScoreFunction | None, has_boxes: bool) -> Task | None:
    """Return the task that scores all outputs together; None if each output has a task of its own.

    Args:
        names: The user's tasks; None infers them.
        metric: The user's metric; None takes the default of the task.
        has_boxes: True if the labels are boxes.

    Raises:
        UsageError: Such a task is named beside others.
    """
    if names is not None:
        found = named_tasks(names)
        joint = [task for task in found if task.joint is not None]
        if joint and len(found) > 1:
            raise UsageError(
                f"--task={names}: {joint[0].name} scores all outputs together",
                f"Name this task alone: --task={joint[0].name}.",
            )
        return joint[0] if joint else None
    if has_boxes:
        return next(task for task in all_tasks().values() if task.joint is not None)
    named = task_of_metric(metric) if _is_name(metric) else None
    return named if named is not None and named.joint is not None else None


def choose_joint(
    task: Task, sample: ModelSample, metric: str | ScoreFunction | None
) -> tuple[JointOutput, Metric]:
    """Return what all outputs are together, and the metric that scores them.

    Raises:
        DataError: The outputs do not fit the task.
        UsageError: The task has no such metric.
    """
    assert task.joint is not None
    joint = task.joint(sample)
    if metric is None:
        return joint, joint.metrics[0]
    return joint, metric_of_task(task, ANY_HEAD, metric) if _is_name(metric) else resolve_metric(metric)


def check_metric(metric: str | ScoreFunction, task: str | None) -> None:
    """Check the name of a metric before a model is loaded.

    Raises:
        UsageError: No task has such a metric, or the named tasks have none.
    """
    if not _is_name(metric):
        resolve_metric(metric)
    elif task is None:
        task_of_metric(metric)
    else:
        for one in named_tasks(task):
            metric_of_task(one, ANY_HEAD, metric)


def _is_name(metric: str | ScoreFunction | None) -> TypeGuard[str]:
    """Return True for the name of a metric of a task, False for a user's function or none."""
    return isinstance(metric, str) and ":" not in metric


def task_of_metric(name: str) -> Task:
    """Return the first task that has a metric of this name.

    Raises:
        UsageError: There is none.
    """
    known = {m.name: task for task in reversed(all_tasks().values()) for m in task.metrics(ANY_HEAD)}
    if name not in known:
        raise UsageError(
            f"--metric={name}: unknown.{closest(name, list(known))}",
            f"Use one of {', '.join(sorted(known))}, or module:function.",
        )
    return known[name]


def choose_meaning(
    sample: OutputSample, task: Task | None, metric: str | ScoreFunction | None
) -> OutputMeaning:
    """Choose the task, the head and the metric of an output.

    Args:
        sample: The output on some samples.
        task: The user's task; None infers it.
        metric: The user's metric; None takes the default of the task.

    Raises:
        DataError: Output and labels do not fit the task.
        UsageError: The task has no such metric, or the metric needs labels and there are none.
    """
    if task is None and _is_name(metric) and metric not in METRICS:
        task = task_of_metric(metric)
    elif task is None:
        task = infer_task(sample)
        if _is_name(metric) and task is not None and not _has(task, metric):
            task = None  # the metric says that the output means something else
    head = sample.head if task is None else task.checked_head(sample)
    return OutputMeaning(head, _metric(sample, head, task, metric), task)


def _has(task: Task, metric: str) -> bool:
    return any(one.name == metric for one in task.metrics(ANY_HEAD))


def _metric(
    sample: OutputSample, head: Head, task: Task | None, metric: str | ScoreFunction | None
) -> Metric:
    """Return the user's metric or the default, one that can be compared with what there is."""
    is_labelled = sample.labels is not None
    if metric is None and task is None:
        targets = decide(head, sample.output) if sample.labels is None else sample.labels
        chosen = fitting_metric(head, targets, is_labelled)
    elif metric is None:
        assert task is not None
        chosen = task.metrics(head)[0]
    elif _is_name(metric):
        chosen = metric_of_task(task or task_of_metric(metric), head, metric)
    else:
        chosen = resolve_metric(metric)
    if is_labelled:
        return chosen
    if metric is not None and (chosen.needs_labels or not _is_name(metric)):
        raise UsageError(
            f"metric={reference_name(metric)} needs labels, and the data has none",
            "Add labels to the data, or leave the metric out.",
        )
    # Without labels the error of the original is 0, to which nothing can be relative.
    usable = chosen.higher_is_better and not chosen.needs_labels
    found = chosen if usable else default_metric(Head("regression", head.from_logits))
    return CLOSENESS if metric is None and found.name == "r2" and hardly_varies(sample.output) else found
