"""Records of a search: what workers return, and what ``search.json`` contains."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from tflite_compress.scoring.drop_evidence import DropOutcome
from tflite_compress.support.notes import NoteRecord

Files = dict[str, bytes]
Training = Literal["none", "part", "full"]
Values = dict[str, Any]  # a point: a number or a name per parameter


class Identity(TypedDict):
    """Hashes of model and data, by which a continued search recognizes them.

    Attributes:
        model: SHA-256 of the model.
        name: Name of the network.
        data: Record of the samples by use.
    """

    model: str
    name: str
    data: dict[str, dict[str, object]]


class Original(TypedDict):
    """The baseline of a search.

    Attributes:
        bytes: Size of the float32 ``.tflite``.
        accuracy: Score of the original model.
        metric: Name of the metric.
        higher_is_better: False for errors such as ``mae``.
        is_share: True for a share of samples or decisions, or an error rate, which is shown in %.
        samples: Number of evaluation samples.
    """

    bytes: int
    accuracy: float
    metric: str
    higher_is_better: bool
    is_share: bool
    samples: int


class Check(TypedDict):
    """A finished file after it was run again.

    Attributes:
        same: True if accuracy and decoded weights are as recorded.
        accuracy: Score on the evaluation samples.
        drop: Accuracy drop.
        fits: True if the file fits the device and the user's limits; None if that is unknown.
        latency_ratio: Latency divided by that of the baseline.
        latency_ms: Median latency on this machine.
        report: The report with the intervals of the accuracy drop corrected for the choice among all trials,
            as JSON.
        outcome: Whether the samples establish that the drop is accepted.
        drop_interval: Lower and upper end of the drop's interval; None if there are too few samples for one.
    """

    same: bool
    accuracy: float
    drop: float
    fits: bool | None
    latency_ratio: float
    latency_ms: float
    report: bytes
    outcome: DropOutcome | None
    drop_interval: tuple[float, float] | None


class FrontPoint(TypedDict):
    """A point of the Pareto front.

    Attributes:
        trial: Number of its trial.
        folder: Folder of its files, relative to the result.
        file: Name of the ``.tflite``.
        recipe: Path of its recipe, relative to the result.
        in_short: The recipe in a few words.
        training: How much of its training it has had when the search ended; ``full`` for a point that needs
            none.
        figures: Value of each objective.
        latency_unit: Unit and kind of the latency in ``figures``.
        latency_ratio_here: Latency on this machine divided by that of the baseline.
        accuracy: Score on the evaluation samples.
        drop: Accuracy drop.
        outcome: Whether the samples establish that the drop is accepted.
        drop_interval: Lower and upper end of the drop's interval, corrected for the choice among all trials;
            None if there are too few samples for one.
        verified: True if the file was run again with the same result.
        chosen: True for the chosen point.
    """

    trial: int
    folder: str
    file: str
    recipe: str
    in_short: str
    training: Training
    figures: dict[str, float]
    latency_unit: str
    latency_ratio_here: float
    accuracy: float
    drop: float
    outcome: DropOutcome | None
    drop_interval: tuple[float, float] | None
    verified: bool
    chosen: bool


class TrialRecord(TypedDict):
    """A trial.

    Attributes:
        trial: Its number.
        state: Optuna's state in lower case.
        ended: Why it ended, or None.
        values: The point.
        outcomes: Outcome of each stage.
    """

    trial: int
    state: str
    ended: str | None
    values: Values
    outcomes: list[dict[str, object]]


class SearchRecord(TypedDict):
    """The content of ``search.json``.

    ``compared`` counts the files whose accuracy was measured on the evaluation samples, one per stage of a
    trial.
    """

    schema: int
    device: dict[str, str]
    minimize: list[str]
    max_drop: float
    confidence: float
    compared: int
    max_flash_bytes: int | None
    max_ram_bytes: int | None
    seconds: float
    original: Original
    sensitivity: dict[str, Any]
    front: list[FrontPoint]
    trials: list[TrialRecord]
    notes: list[NoteRecord]
