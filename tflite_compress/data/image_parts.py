"""Subfolders that divide images into training and evaluation data."""

from __future__ import annotations

from collections.abc import Iterable

TRAINING = ("train", "training")
EVALUATION = ("val", "valid", "validation", "test")  # the first that there is


def part_names(names: Iterable[str]) -> dict[str, str] | None:
    """Return which subfolder holds the training and which the evaluation data.

    Args:
        names: Names of all subfolders.

    Returns:
        ``{"train": ..., "eval": ...}``; None if a name is another, or one of the parts is missing.
    """
    given = {name.lower(): name for name in names}
    if not set(given) <= {*TRAINING, *EVALUATION}:
        return None
    training = next((given[name] for name in TRAINING if name in given), None)
    evaluation = next((given[name] for name in EVALUATION if name in given), None)
    if training is None or evaluation is None:
        return None
    return {"train": training, "eval": evaluation}
