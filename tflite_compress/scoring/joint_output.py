"""Tasks that score all outputs of a model together: the outputs become one array, which has one metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tflite_compress.scoring.metrics import Metric

Combine = Callable[[tuple[np.ndarray, ...]], np.ndarray]


@dataclass(frozen=True, eq=False)
class HeadOptions:
    """How the user says that outputs are read.

    Attributes:
        head: Name of a detection head, or ``module:function``; None to recognize it.
        anchors: File with the anchors of SSD; None for other heads.
        classes: Number of classes, where it is known without labels; 0 if it is not.
    """

    head: str | None = None
    anchors: str | None = None
    classes: int = 0


NO_HEAD = HeadOptions()


@dataclass(frozen=True, eq=False)
class ModelSample:
    """All outputs of the original model on some samples.

    Attributes:
        outputs: One array per output, shape (samples, ...).
        labels: Labels for all outputs together, shape (samples, ...), or None.
        inputs: The first input, shape (samples, ...).
        options: How the outputs are read.
    """

    outputs: tuple[np.ndarray, ...]
    labels: np.ndarray | None
    inputs: np.ndarray
    options: HeadOptions


@dataclass(frozen=True, eq=False)
class JointOutput:
    """What all outputs of a model are together.

    Attributes:
        name: What the array holds, in reports.
        combine: Returns one array of all outputs, shape (samples, ...).
        as_labels: Returns labels for such an array of the original, where the data have none.
        metrics: Its metrics; the first is the default.
        head: Name of the layout that the outputs have, for the report.
    """

    name: str
    combine: Combine
    as_labels: Callable[[np.ndarray], np.ndarray]
    metrics: tuple[Metric, ...]
    head: str
