"""The verdict of a compression: accuracy and fit together, with the next step that works in this run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from tflite_compress.checking.device_verdict import DeviceVerdict, decide
from tflite_compress.checking.verdict import Finding
from tflite_compress.reporting.figures import Accuracy
from tflite_compress.reporting.scores import accuracy_name, accuracy_sentence, drop_in_words
from tflite_compress.scoring.gpu_score import GpuCheck
from tflite_compress.support.quantities import limit_in_kilobytes

READY = "Copy the file to the device."
READY_WITH_BUNDLE = "Copy the file to the device, or follow bundle/README.md beside it."
_OPTIONS = {"flash": "--max-flash", "RAM": "--max-ram"}


def report_verdict(
    accuracy: Accuracy,
    gpu: GpuCheck | None,
    fit: Sequence[Finding],
    is_recipe_named: bool,
    has_bundle: bool = False,
) -> DeviceVerdict:
    """Return the verdict of a run.

    Args:
        accuracy: Accuracy before and after.
        gpu: Accuracy in float16 on the GPU accelerator; None for a device without a GPU.
        fit: What was checked about running the file on the device.
        is_recipe_named: True if the user chose the recipe, so that no smaller one was tried.
        has_bundle: True if a bundle was written beside the file.
    """
    on_accuracy = (accuracy_finding(accuracy), *gpu_findings(accuracy, gpu))
    ready = READY_WITH_BUNDLE if has_bundle else READY
    return decide([*on_accuracy, *(_with_step(f, is_recipe_named) for f in fit)], ready)


def accuracy_finding(accuracy: Accuracy) -> Finding:
    """Return the finding on accuracy."""
    if not accuracy.is_verified:
        text = "accuracy unknown, because no data was given"
        return Finding("accuracy", None, text, "Give evaluation data: --data=FILE.npz.")
    text = f"{accuracy_name(accuracy)} {accuracy_sentence(accuracy)}"
    return Finding("accuracy", accuracy.is_kept, text, None if accuracy.is_kept else _accept(accuracy.drop))


def gpu_findings(accuracy: Accuracy, gpu: GpuCheck | None) -> list[Finding]:
    """Return what fails in float16 on a phone's GPU; empty where nothing does, or nothing was measured."""
    if gpu is None or gpu.score is None or not accuracy.is_verified:
        return []
    if gpu.score.fault is not None:
        hint = "Run it on the CPU of the phone: --device=android-cpu."
        return [Finding("accuracy", False, f"in float16 {gpu.score.fault}", hint)]
    if gpu.score.drop <= accuracy.max_drop:
        return []
    drop, accepted = (
        drop_in_words(accuracy.metric, gpu.score.drop),
        drop_in_words(accuracy.metric, accuracy.max_drop),
    )
    text = f"in float16 on the GPU, the accuracy drop is {drop}; accepted: {accepted}"
    return [Finding("accuracy", False, text, _accept(gpu.score.drop))]


def _accept(drop: float) -> str:
    return (
        f"Accept the drop with --max-drop={_rounded_up(drop)}, or find the layers that cause it: "
        "'tflite-compress diagnose'."
    )


def _with_step(finding: Finding, is_recipe_named: bool) -> Finding:
    """Replace the hint of a size by one that works after a compression has tried its candidates."""
    figure = finding.measurement
    option = _OPTIONS.get(finding.subject)
    if finding.fits is True or figure is None or finding.limit is None or option is None:
        return finding
    if not finding.is_limited:
        if finding.floor is not None:
            return finding
        limit = limit_in_kilobytes(finding.limit)
        return replace(finding, hint=f"Add {option}={limit}: smaller recipes are then tried.")
    needed = limit_in_kilobytes(figure.value if figure.high is None else figure.high)
    try_smaller = is_recipe_named and finding.floor is None
    prefix = "Leave --recipe out to try smaller ones. " if try_smaller else ""
    return replace(finding, hint=f"{prefix}This file is accepted with {option}={needed}.")


def _rounded_up(drop: float) -> str:
    """Return a drop rounded up to two digits, so that the option accepts it."""
    if drop <= 0:
        return "0"
    factor = 10.0 ** (1 - math.floor(math.log10(drop)))
    return f"{math.ceil(drop * factor - 1e-9) / factor:g}"
