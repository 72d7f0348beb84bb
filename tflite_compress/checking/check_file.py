"""Check a ``.tflite`` against devices, and verify that runtimes compute the same outputs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tflite_compress.checking.device_findings import judge_accuracy
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.judge import check
from tflite_compress.checking.verdict import NO_LIMITS, Finding, Limits, Verdict
from tflite_compress.data.opened_file import open_file
from tflite_compress.data.raw import SAMPLES, FileData
from tflite_compress.data.sources import DataSource, Preprocess
from tflite_compress.profiles.devices import all_devices, load_device
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.runtimes.compare import Comparison, compare
from tflite_compress.runtimes.run_result import RunResult
from tflite_compress.scoring.detector import check_head
from tflite_compress.scoring.joint_output import NO_HEAD, HeadOptions
from tflite_compress.scoring.metrics import ScoreFunction
from tflite_compress.support.errors import CompressError, UsageError
from tflite_compress.support.input_shape import InputShape
from tflite_compress.support.notes import Note
from tflite_compress.support.progress import Progress, Silent
from tflite_compress.support.time_budget import TimeBudget

if TYPE_CHECKING:
    from tflite_compress.checking.accuracy import MeasuredAccuracy

DEFAULTS = Remote()
FEW = 32  # samples that are run to find out how many the time budget allows


def check_file(
    path: str | os.PathLike[str],
    devices: Sequence[str],
    limits: Limits = NO_LIMITS,
    min_accuracy: float | None = None,
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    metric: str | ScoreFunction | None = None,
    on_device: str | None = None,
    remote: Remote = DEFAULTS,
    progress: Progress | None = None,
    input_shape: InputShape | None = None,
    time_budget_seconds: float | None = None,
    task: str | None = None,
    head: HeadOptions = NO_HEAD,
    resize: bool = False,
) -> list[Verdict]:
    """Check a file against device profiles.

    Args:
        path: A ``.tflite``.
        devices: Names or paths of device profiles; ``["all"]`` for all bundled ones.
        limits: The user's limits, in addition to the device's own.
        min_accuracy: Minimum accuracy on ``data``, in the metric's unit. For errors such as ``mae`` it is the
            maximum.
        data: Labelled data; needed for ``min_accuracy``.
        preprocess: ``none``, ``unit``, ``symmetric``, or ``module:function``.
        metric: Name of a metric, or a function, also as ``module:function``; inferred by default.
        on_device: ``ssh:HOST`` or ``adb``, to measure on the device itself.
        remote: How to reach the device.
        progress: Where to report progress.
        input_shape: Sizes of the inputs without the batch, for open dimensions; those of the data by default.
        time_budget_seconds: Time for all runtimes and devices together in seconds. Findings say what it left
            undone. None sets no limit.
        task: Name of the task, or one for each output separated by commas; None infers it.
        head: How the outputs of a detector are read.
        resize: Resize images to the input.

    Returns:
        One verdict per device.

    Raises:
        ModelError: The file is missing or damaged.
        DataError: The data do not fit the file.
        ConfigError: A device profile cannot be used.
        UsageError: There is no such head.
    """
    progress, budget = progress or Silent(), TimeBudget(time_budget_seconds)
    check_head(head)
    profiles = all_devices() if list(devices) == ["all"] else [load_device(name) for name in devices]
    opened = open_file(path, data, preprocess, input_shape, resize=resize)
    content, signature, samples = opened.content, opened.signature, opened.samples
    runtime = None if on_device is None else find_runtime(on_device, remote)
    evidence = Evidence(content, samples.first(SAMPLES).raw, runtime, remote.gpu, budget)
    extra: list[Finding] = []
    verdicts = []
    with progress.step("running the model", len(profiles)) as advance:
        for device in profiles:
            verdicts.append(check(evidence, device, limits, opened.sizes))
            advance(1)
    if min_accuracy is not None and opened.is_real:
        from tflite_compress.checking.accuracy import measure_accuracy

        with progress.step("measuring accuracy"):
            score = partial(measure_accuracy, signature=signature, metric=metric, task=task, head=head)
            extra.append(_accuracy(content, samples, score, min_accuracy, budget))
    return [dataclasses.replace(v, findings=(*v.findings, *extra)) for v in verdicts]


def verify_file(
    path: str | os.PathLike[str],
    runtimes: Sequence[str],
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    samples: int = SAMPLES,
    remote: Remote = DEFAULTS,
    progress: Progress | None = None,
    input_shape: InputShape | None = None,
    time_budget_seconds: float | None = None,
    resize: bool = False,
) -> list[Comparison]:
    """Run a file on several runtimes and compare their outputs with LiteRT's.

    Args:
        path: A ``.tflite``.
        runtimes: Names of runtimes, see :func:`tflite_compress.runtimes.by_name.list_runtimes`.
        data: Samples; seeded random ones by default.
        preprocess: ``none``, ``unit``, ``symmetric``, or ``module:function``.
        samples: Number of samples.
        remote: How to reach devices.
        progress: Where to report progress.
        input_shape: Sizes of the inputs without the batch, for open dimensions; those of the data by default.
        time_budget_seconds: Time for all runtimes together in seconds. As many samples are run as it allows,
            one at least. None sets no limit.
        resize: Resize images to the input.

    Returns:
        One comparison per runtime, in the order of ``runtimes``.

    Raises:
        ModelError: The file is missing or damaged.
        DataError: The data do not fit the file.
        UsageError: No runtime is named, or there is none of that name.
    """
    progress = progress or Silent()
    chosen = {name: find_runtime(name, remote) for name in dict.fromkeys(runtimes)}
    if not chosen:
        raise UsageError("no runtime named", "Name one, for example litert or tflm.")
    opened = open_file(path, data, preprocess, input_shape, samples, resize)
    if opened.sizes is not None:
        progress.say(opened.sizes)
    budget = TimeBudget(time_budget_seconds)
    with progress.step("running"):
        if time_budget_seconds is None:
            return compare(opened.content, opened.samples.first(samples).raw, chosen)
        start = budget.now
        first = compare(opened.content, opened.samples.first(1).raw, chosen)
        count = budget.affords(samples, 1, start)
        if count < samples:
            budget.cut(f"outputs compared on {max(1, count)} of {samples} samples")
        found = compare(opened.content, opened.samples.first(count).raw, chosen) if count > 1 else first
    return [_noting(comparison, budget.notes) for comparison in found]


def _noting(comparison: Comparison, notes: tuple[Note, ...]) -> Comparison:
    if isinstance(comparison.result, CompressError):
        return comparison
    return dataclasses.replace(
        comparison, result=dataclasses.replace(comparison.result, notes=(*comparison.result.notes, *notes))
    )


def _accuracy(
    content: bytes,
    data: FileData,
    score: Callable[[RunResult, FileData], MeasuredAccuracy],
    minimum: float,
    budget: TimeBudget,
) -> Finding:
    """Score the file on all samples, or on as many as the time budget allows."""
    if budget.is_used:
        text = f"not measured: the time budget of {budget.seconds:g} s was used"
        return Finding("accuracy", None, text, "Give it more time.", limit=minimum, is_limited=True)
    start, few = budget.now, data
    if budget.seconds is not None:
        few = data.spaced(FEW)
        _run(content, few)
        few = data.spaced(max(len(few), budget.affords(len(data), len(few), start)))
    accuracy = score(_run(content, few), few)
    found = judge_accuracy(accuracy, minimum)
    if len(few) == len(data):
        return found
    cut = f"on {len(few)} of {len(data)} samples, as the time budget of {budget.seconds:g} s allows"
    return dataclasses.replace(found, text=f"{found.text}; {cut}")


def _run(content: bytes, data: FileData) -> RunResult:
    """Run the file in LiteRT, or in TFLite Micro if LiteRT refuses it."""
    try:
        return find_runtime("litert", DEFAULTS)(content, data.raw)
    except CompressError:
        return find_runtime("tflm", DEFAULTS)(content, data.raw)
