"""The verdict of a compression: accuracy and fit together, with the next step that works in this run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from tflite_compress.checking.device_verdict import DeviceVerdict, decide
from tflite_compress.checking.verdict import Finding
from tflite_compress.reporting.accuracy_figures import Accuracy
from tflite_compress.reporting.scores import (
    accuracy_name,
    accuracy_sentence,
    drop_in_words,
    scores_in_words,
    what_samples_allow,
)
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
    is_strict: bool = False,
    on_gpu: Accuracy | None = None,
) -> DeviceVerdict:
    """Return the verdict of a run.

    Args:
        accuracy: Accuracy before and after.
        gpu: Accuracy in float16 on the GPU accelerator; None for a device without a GPU.
        fit: What was checked about running the file on the device.
        is_recipe_named: True if the user chose the recipe, so that no smaller one was tried.
        has_bundle: True if a bundle was written beside the file.
        is_strict: True to accept only an accuracy that is established to be kept.
        on_gpu: Accuracy on the GPU accelerator with its intervals; None where there are none.
    """
    told = gpu_findings(accuracy, gpu, on_gpu, is_strict)
    on_accuracy = (accuracy_finding(accuracy, is_strict), *told)
    ready = READY_WITH_BUNDLE if has_bundle else READY
    return decide([*on_accuracy, *(_with_step(f, is_recipe_named) for f in fit)], ready)


def accuracy_finding(accuracy: Accuracy, is_strict: bool = False) -> Finding:
    """Return the finding on accuracy.

    Args:
        accuracy: Accuracy before and after.
        is_strict: True if an accuracy drop that is not established to be accepted blocks the file.
    """
    if not accuracy.is_verified:
        text = "accuracy unknown, because no data was given"
        return Finding("accuracy", None, text, "Give evaluation data: --data=FILE.npz.")
    name = accuracy_name(accuracy)
    text = f"{name} {accuracy_sentence(accuracy)}"
    if accuracy.outcome == "kept":
        return Finding("accuracy", True, text)
    if accuracy.outcome == "not-kept" and not is_strict:
        return Finding("accuracy", False, text, _accept(accuracy.drop))
    if accuracy.outcome == "not-kept":
        return Finding("accuracy", False, text, _accept(_highest(accuracy)))
    is_blocking = is_strict or not accuracy.is_kept
    text = f"{name} {scores_in_words(accuracy)}; {what_samples_allow(accuracy)}"
    return Finding("accuracy", None, text, _establish(accuracy), is_limited=is_blocking)


def _highest(accuracy: Accuracy) -> float:
    """Return the upper end of the drop's interval; the drop if there is none."""
    found = accuracy.evidence
    return accuracy.drop if found is None or found.drop_interval is None else found.drop_interval.high


def _establish(accuracy: Accuracy) -> str:
    """Return what establishes the drop: more samples, or a larger accepted drop."""
    found = accuracy.evidence
    if found is None or found.drop_interval is None:
        return "Give more evaluation samples: --eval=FILE.npz."
    accepted = _rounded_up(found.drop_interval.high)
    if found.needed_samples is None or found.needed_samples <= accuracy.samples:
        return f"Give more evaluation samples (--eval=FILE.npz), or accept a drop of --max-drop={accepted}."
    return (
        f"Give about {found.needed_samples:,} evaluation samples (--eval=FILE.npz), or accept a drop of "
        f"--max-drop={accepted}."
    )


def gpu_findings(
    accuracy: Accuracy, gpu: GpuCheck | None, on_gpu: Accuracy | None = None, is_strict: bool = False
) -> list[Finding]:
    """Return what fails in float16 on a phone's GPU; empty where nothing does, or nothing was measured.

    What the samples do not establish on the CPU either is said once, about the CPU.

    Args:
        accuracy: Accuracy on the CPU.
        gpu: The check on the GPU accelerator.
        on_gpu: Accuracy on the GPU accelerator with its intervals; None where there are none.
        is_strict: True to accept only an accuracy that is established to be kept.
    """
    if gpu is None or gpu.score is None or not accuracy.is_verified:
        return []
    if gpu.score.fault is not None:
        hint = "Run it on the CPU of the phone: --device=android-cpu."
        return [Finding("accuracy", False, f"in float16 {gpu.score.fault}", hint)]
    if on_gpu is not None:
        found = accuracy_finding(on_gpu, is_strict)
        if found.fits is True or not (found.is_blocking or accuracy.outcome == "kept"):
            return []
        return [replace(found, text=f"in float16 on the GPU, {found.text}")]
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
    rounded = math.ceil(drop * factor - 1e-9) / factor
    return f"{rounded:g}" if rounded < 1 else f"{100 * rounded:g}%"
