"""Which tasks there are: the modules of ``scoring.tasks``. Their names are known without importing them."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

from tflite_compress.support.errors import UsageError, closest

if TYPE_CHECKING:
    from tflite_compress.scoring.metrics import Head, Metric
    from tflite_compress.scoring.task_types import OutputSample, Task

_FOLDER = Path(__file__).with_name("tasks")


@functools.cache
def task_names() -> tuple[str, ...]:
    """Return the names of all tasks, sorted."""
    return tuple(sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules([str(_FOLDER)])))


def find_task(name: str) -> Task:
    """Return the task of a name; underscores count as hyphens.

    Raises:
        UsageError: There is none.
    """
    wanted = name.replace("_", "-")
    if wanted not in task_names():
        raise UsageError(
            f"--task={name}: there is no such task.{closest(wanted, list(task_names()))}",
            f"Use one of {', '.join(task_names())}.",
        )
    return all_tasks()[wanted]


@functools.cache
def all_tasks() -> dict[str, Task]:
    """Return every task by its name."""
    from tflite_compress.scoring.task_types import REGISTERED

    for name in task_names():
        importlib.import_module(f"{__package__}.tasks.{name.replace('-', '_')}")
    return {name: REGISTERED[name] for name in task_names()}


def infer_task(sample: OutputSample) -> Task | None:
    """Return the task that output and labels can only mean; None if values and loss decide."""
    return next((task for task in all_tasks().values() if task.is_inferred(sample)), None)


def metric_of_task(task: Task, head: Head, name: str) -> Metric:
    """Return a metric of a task by its name.

    Raises:
        UsageError: The task has no such metric.
    """
    known = {metric.name: metric for metric in task.metrics(head)}
    if name not in known:
        raise UsageError(
            f"--metric={name}: --task={task.name} has no such metric",
            f"Use one of {', '.join(known)}, or module:function.",
        )
    return known[name]
