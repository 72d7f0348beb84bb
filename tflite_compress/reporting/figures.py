"""Figures of the report: size, work, latency, memory and fit."""

from __future__ import annotations

from typing import Literal

import msgspec

from tflite_compress.checking.verdict import Finding
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.timing.paired import Latency


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The model that was compressed.

    Attributes:
        name: Name of the model.
        format: Format it was loaded from, for example ``keras``.
    """

    name: str
    format: str


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The device the file is for.

    Attributes:
        name: Name of its profile.
        title: Name for people.
        kind: Kind of device, for example ``microcontroller``.
    """

    name: str
    title: str
    kind: str


class RecipeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The recipe that made the file.

    Attributes:
        name: Name of the recipe.
        summary: Its passes and main settings in a few words.
        is_for_forests: True for a recipe for decision trees.
    """

    name: str
    summary: str
    is_for_forests: bool


class LevelCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a level of pruning was estimated to cost.

    Attributes:
        level: The level, for example a sparsity.
        untrained_drop: Accuracy drop without training, estimated from the agreement with the original.
        estimated_drop: Accuracy drop after training, estimated from that.
    """

    level: float
    untrained_drop: float
    estimated_drop: float


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What pruning was estimated to cost before it was trained, and what it cost.

    Attributes:
        setting: The setting that is the level, for example ``sparsity``.
        asked: What the level asked for was estimated to cost.
        used: What the level of the file was estimated to cost.
        measured_drop: The measured accuracy drop of the file.
        scanned: What was estimated for other levels, weakest first.
    """

    setting: str
    asked: LevelCost
    used: LevelCost
    measured_drop: float
    scanned: tuple[LevelCost, ...]


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """Distance of the file's outputs from the original model's.

    Attributes:
        max_abs: Largest absolute difference.
        mean_abs: Mean absolute difference.
        cosine: Cosine similarity.
        snr_db: Signal-to-noise ratio in dB; 999 where outputs are equal.
    """

    max_abs: float
    mean_abs: float
    cosine: float
    snr_db: float


class FileSize(msgspec.Struct, frozen=True, kw_only=True):
    """Size of a file.

    Attributes:
        bytes: Size on disk.
        gzip_bytes: Size after ``gzip -9``, as app stores and updates transfer it.
    """

    bytes: int
    gzip_bytes: int


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Size of the baseline, which is the plain float32 ``.tflite``, and of the result."""

    baseline: FileSize
    result: FileSize

    @property
    def ratio(self) -> float:
        """Size of the result divided by the baseline's."""
        return self.result.bytes / self.baseline.bytes


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of parameters.

    Attributes:
        original: Parameters of the original model.
        result_weights: Weights in the file.
        result_zeros: Weights in the file that are zero.
    """

    original: int
    result_weights: int
    result_zeros: int


class MacCount(msgspec.Struct, frozen=True, kw_only=True):
    """Multiply-accumulates of one inference, counted from a file.

    Attributes:
        value: The count; a lower bound if ``uncounted`` is not empty.
        uncounted: Operators whose work the file does not tell.
    """

    value: int
    uncounted: tuple[str, ...] = ()

    @property
    def exact(self) -> int | None:
        """The count, or None where some operators cannot be counted."""
        return None if self.uncounted else self.value


class Macs(msgspec.Struct, frozen=True, kw_only=True):
    """Multiply-accumulates of the baseline and of the result."""

    baseline: MacCount
    result: MacCount


class Encoding(msgspec.Struct, frozen=True, kw_only=True):
    """Lossless encoding of weights for TFLite Micro's DECODE operator.

    Attributes:
        kinds: Number of tensors by kind of encoding.
        tables: Number of tables.
        plain_bytes: Size of the file without encoding.
        bytes: Size of the file with it.
        plain_arena_bytes: Smallest tensor arena without encoding.
        arena_bytes: Smallest tensor arena with it.
        arena_source: Runtime the arenas were measured on.
        time_ratio: Inference time with encoding divided by the time without.
        time_source: Where the ratio was measured.
        equal_samples: Number of inputs on which outputs were equal bit for bit.
    """

    kinds: dict[str, int]
    tables: int
    plain_bytes: int
    bytes: int
    plain_arena_bytes: int
    arena_bytes: int
    arena_source: str
    time_ratio: float
    time_source: str
    equal_samples: int


class EncodingChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The choice between encoded and plain weights.

    Attributes:
        encoding: Figures of both files.
        is_encoded: True if the file is the encoded one.
    """

    encoding: Encoding
    is_encoded: bool


class HostLatency(msgspec.Struct, frozen=True, kw_only=True):
    """Latency of one inference on the machine that ran the tool, measured interleaved.

    Attributes:
        source: Machine, runtime, threads and batch.
        baseline: Times of the plain float32 file.
        result: Times of the result.
        dense: Times of the result with sparse weights stored densely, where the result stores them sparsely.
        kind: Always ``measured``.
    """

    source: str
    baseline: Latency
    result: Latency
    dense: Latency | None = None
    kind: Literal["measured"] = "measured"

    @property
    def ratio(self) -> float:
        """Median of the result divided by the baseline's."""
        return self.result.median_ms / self.baseline.median_ms

    @property
    def dense_ratio(self) -> float | None:
        """Median of the result divided by that of the densely stored one."""
        return None if self.dense is None else self.result.median_ms / self.dense.median_ms


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """RAM on the device of the baseline and of the result; None where it is unknown."""

    baseline: Measurement | None = None
    result: Measurement | None = None


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the file fits the device.

    Attributes:
        fits: True if no finding prevents it.
        findings: What was checked.
    """

    fits: bool
    findings: tuple[Finding, ...]

    def measurement(self, subject: str) -> Measurement | None:
        """The figure found for ``subject``, or None."""
        return next(
            (f.measurement for f in self.findings if f.subject == subject and f.measurement is not None), None
        )
