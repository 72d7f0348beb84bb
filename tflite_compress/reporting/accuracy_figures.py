"""Figures of the report: accuracy of the original model and of the file."""

from __future__ import annotations

import msgspec

from tflite_compress.scoring.drop_evidence import DropEvidence, DropOutcome


class MetricFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The metric accuracy is measured by.

    Attributes:
        name: Name, with what predictions are compared with if these are not labels.
        higher_is_better: False for errors such as ``mae``.
        is_share: True for a share of samples or decisions, or an error rate, which is shown in %.
    """

    name: str
    higher_is_better: bool
    is_share: bool = False

    @property
    def has_points(self) -> bool:
        """True if drops are points, which scores and error rates have; False for errors with a unit."""
        return self.higher_is_better or self.is_share


class OutputAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy of one output.

    Attributes:
        before: Score of the original model.
        after: Score of the file.
        metric: Name of the metric; None in reports of version 0.2.0.
        drop: How much worse the file is, see :class:`Accuracy`; None in reports of version 0.2.0.
        higher_is_better: False for errors such as ``mae``.
        is_share: True for a share of samples or decisions, or an error rate, which is shown in %.
        evidence: What the samples say about the drop; None without data, and in reports of version 0.2.0.
    """

    before: float
    after: float
    metric: str | None = None
    drop: float | None = None
    higher_is_better: bool = True
    is_share: bool = False
    evidence: DropEvidence | None = None


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy of the original model and of the written file, both on the evaluation samples.

    Attributes:
        metric: The metric of the output that decides.
        is_labelled: True where predictions are compared with labels, else with the original's predictions.
        is_verified: False where no data was given: outputs were then compared on random inputs.
        samples: Number of evaluation samples.
        before: Score of the original model at the output that decides.
        after: Score of the file at the output that decides.
        drop: How much worse ``after`` is: the difference for scores and error rates, for other errors
            the relative rise.
        max_drop: Largest accepted drop.
        by_output: Scores of each output, by name.
        deciding_output: Name of the output with the worst outcome, among equal ones that with the largest
            drop; None if there is only one output.
        evidence: What the samples say about the drop at the output that decides; None without data, and in
            reports of version 0.2.0.
    """

    metric: MetricFacts
    is_labelled: bool
    is_verified: bool
    samples: int
    before: float
    after: float
    drop: float
    max_drop: float
    by_output: dict[str, OutputAccuracy]
    deciding_output: str | None = None
    evidence: DropEvidence | None = None

    @property
    def outcome(self) -> DropOutcome | None:
        """Whether the samples establish that the drop is accepted; None where there was no data."""
        if not self.is_verified:
            return None
        if self.evidence is not None:
            return self.evidence.outcome
        return "kept" if self.is_kept else "not-kept"

    @property
    def is_kept(self) -> bool | None:
        """True if the measured drop is accepted; None where there was no data to measure it on."""
        return self.drop <= self.max_drop if self.is_verified else None

    @property
    def lowest_accepted(self) -> float | None:
        """Lowest accepted score; None without data, and for errors."""
        if not self.is_verified or not self.metric.higher_is_better or self.max_drop >= 1:
            return None
        return self.before - self.max_drop
