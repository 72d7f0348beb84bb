"""Options and result of a compression."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, get_args

from tflite_compress.checking.device_verdict import DeviceVerdict
from tflite_compress.checking.verdict import NO_LIMITS, Limits
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.runtimes.gpu_driver import GpuDriver
from tflite_compress.scoring.drop_evidence import DropRule
from tflite_compress.scoring.joint_output import HeadOptions
from tflite_compress.scoring.metrics import ScoreFunction
from tflite_compress.scoring.reference import LossFunction
from tflite_compress.support.errors import UsageError
from tflite_compress.support.input_shape import InputShape


@dataclass(frozen=True)
class Options:
    """Settings of a run besides model, device, recipe and data.

    Attributes:
        max_drop: Largest accepted accuracy drop: 0.01 is one point of top-1 (for errors such as ``mae`` the
            relative rise).
        confidence: Confidence of the intervals of accuracy and of its drop, between 0.5 and 1.
        strict: Accept a file only if the evaluation samples establish that the drop is accepted. Otherwise
            the measured drop decides whether a file is accepted.
        task: Name of the task, or one for each output separated by commas; None infers it.
        head: Name of a detection head, or ``module:function``; None recognizes it.
        anchors: File with the anchors of an SSD, ``.npy`` or ``.csv``; None for other heads.
        metric: Name of a metric of the task, or ``module:function``; None infers it.
        loss: Loss for fine-tuning, a Keras name or ``module:function``; None infers it.
        custom_objects: ``module:dict`` or a mapping, for models with custom layers.
        input_shape: Sizes of the model's inputs without the batch, for open dimensions: ``"224x224x3"``, a
            tuple, or a mapping by input name. Those of the data by default.
        cut: Layers to cut off the start of the model, such as layers that process text: names separated by
            commas. The data are then for the output of these layers.
        trust_model: Run code that comes in the model file (Lambda layers, pickle and joblib files).
        seed: Seed of everything random.
        latency_seconds: Time to measure latency in seconds. Operators are timed half as long again.
        time_budget_seconds: Time for the whole run in seconds. When it is used, training and choosing stop,
            the best so far is kept, and details are left out. None sets no limit.
        gpu: What scores a file for a phone's GPU in float16: ``software``, or ``device`` for the
            machine's own GPU.
        max_flash_bytes: Limit of flash besides the device's own; None sets none.
        max_ram_bytes: Limit of RAM besides the device's own; None sets none.
        forecast: Estimate what pruning costs before a long training, and begin with the strongest level that
            is expected to keep the accuracy.
        bundle: Write what is deployed to the device into the result's folder ``bundle``.
        details: Also time operators and compare layers, and write ``report.html``, ``report.md`` and
            ``MODEL_CARD.md``.
        resume: Continue trainings that an interrupted run of the same model, data and seed left: True in
            the user's cache folder, a path in that folder. False starts anew. None keeps no checkpoints.
    """

    max_drop: float = 0.01
    confidence: float = 0.95
    strict: bool = False
    task: str | None = None
    head: str | None = None
    anchors: str | None = None
    metric: str | ScoreFunction | None = None
    loss: str | LossFunction | None = None
    custom_objects: str | Mapping[str, object] | None = None
    input_shape: InputShape | None = None
    cut: str | None = None
    trust_model: bool = False
    seed: int = 0
    latency_seconds: float = 1.0
    time_budget_seconds: float | None = None
    gpu: GpuDriver = "software"
    max_flash_bytes: int | None = None
    max_ram_bytes: int | None = None
    forecast: bool = True
    bundle: bool = True
    details: bool = True
    resume: bool | str | os.PathLike[str] | None = True

    @property
    def rule(self) -> DropRule:
        """How an accuracy drop is judged."""
        return DropRule(self.max_drop, self.confidence, seed=self.seed)

    @property
    def head_options(self) -> HeadOptions:
        """How the outputs of a detector are read."""
        return HeadOptions(self.head, self.anchors)

    @property
    def limits(self) -> Limits:
        """Limits on memory besides the device's own."""
        return Limits(self.max_flash_bytes, self.max_ram_bytes)

    @property
    def is_limited(self) -> bool:
        """True if there is such a limit."""
        return self.limits != NO_LIMITS


def make_options(values: Mapping[str, Any]) -> Options:
    """Check option names and values.

    Raises:
        UsageError: There is no such option, or its value is invalid.
    """
    try:
        options = Options(**values)
    except TypeError as error:
        raise UsageError(str(error).replace("Options.__init__() ", "")) from error
    drop, seed = options.max_drop, options.seed
    if isinstance(drop, bool) or not isinstance(drop, int | float):
        raise UsageError(f"--max-drop={drop}: expected a number", "For example --max-drop=0.01.")
    if not drop >= 0:
        raise UsageError(f"--max-drop={drop}: expected 0 or more", "For example --max-drop=0.01.")
    confidence = options.confidence
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0.5 <= confidence < 1:
        raise UsageError(
            f"--confidence={confidence}: expected a number from 0.5 to below 1",
            "For example --confidence=0.95.",
        )
    budget = options.time_budget_seconds
    if budget is not None and not budget > 0:
        raise UsageError(f"--time-budget={budget}: expected a time above 0", "For example --time-budget=5m.")
    if options.gpu not in get_args(GpuDriver):
        raise UsageError(f"--gpu={options.gpu}: expected software or device", "For example --gpu=device.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UsageError(f"--seed={seed}: expected a whole number from 0", "For example --seed=1.")
    return options


@dataclass(frozen=True, repr=False)
class Result:
    """One device's result.

    Attributes:
        device: Name of the device.
        tflite: Path of the ``.tflite``; its name ends in ``.failed.tflite`` where the accuracy was not kept.
        report: The report.
        manifest: What ``manifest.json`` holds.
    """

    device: str
    tflite: Path
    report: Report
    manifest: dict[str, Any]

    @property
    def verdict(self) -> DeviceVerdict:
        """Whether the file can be deployed, why, and what to do next."""
        return self.report.verdict

    @property
    def passed(self) -> bool:
        """True if the accuracy, where it was measured, is kept and nothing prevents running the file."""
        return self.verdict.is_accepted

    @property
    def fits(self) -> bool:
        """True if nothing prevents running the file on the device; see ``report.fit``."""
        return self.report.fit.fits

    @property
    def recorded(self) -> Recorded:
        """The result as a folder on disk."""
        model = Path(str(self.manifest["model"]["path"] or self.report.model.name)).name
        return Recorded(self.tflite.parent, self.report, model, self.manifest)

    def __repr__(self) -> str:
        return f"<Result: {self._summary()}>"

    def _repr_html_(self) -> str:
        """Return the result as one line of HTML, for notebooks."""
        return f"<b>{escape(self.tflite.name)}</b>: {escape(self._summary())}"

    def _summary(self) -> str:
        return f"{self.verdict.words} for {self.device}: {self.verdict.reason}; {self.tflite}"
