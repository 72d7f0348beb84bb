"""Notes on what the figures of a report do not show by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from tflite_compress.reporting.model import Report
from tflite_compress.reporting.wording import NO_DIFFERENCE
from tflite_compress.support.notes import Note
from tflite_compress.support.quantities import format_bytes


def result_notes(report: Report) -> tuple[Note, ...]:
    """Return notes on gains that did not come and on what the figures do not cover.

    Args:
        report: The report without notes.
    """
    parts = (_latency_notes, _size_notes, _storage_notes, _state_notes, _accuracy_notes)
    return tuple(note for part in parts for note in part(report))


def _latency_notes(report: Report) -> Iterator[Note]:
    ratio = report.latency.ratio
    if abs(ratio - 1) < NO_DIFFERENCE:
        yield Note("latency-unchanged", "no difference in latency was measured on this machine")
    elif ratio > 1:
        text = f"on this machine the result is {ratio:.2f}x slower than the float32 baseline"
        yield Note("latency-worse", text, "warning")


def _size_notes(report: Report) -> Iterator[Note]:
    if report.size.ratio < 1:
        return
    if report.recipe.is_for_forests:
        yield Note("size-not-reduced", "the file is no smaller than the uncompressed forest's", "warning")
        return
    text = (
        "the file is no smaller than the float32 baseline: in a model this small, scales, extra operators "
        "and metadata outweigh the weights"
    )
    yield Note("size-not-reduced", text, "warning")


def _storage_notes(report: Report) -> Iterator[Note]:
    sparse, encoding = report.latency.dense_ratio, report.encoding
    if sparse is not None:
        text = (
            "zeros are left out of the file and restored when it is loaded: latency is "
            f"{sparse:.2f}x that of the dense file on this machine"
        )
        yield Note("stored-sparsely", text)
    elif encoding is not None:
        text = (
            f"weights are decoded before each layer: arena {format_bytes(encoding.plain_arena_bytes)} → "
            f"{format_bytes(encoding.arena_bytes)}, time {encoding.time_ratio:.2f}x on TFLite Micro's "
            "reference kernels on this machine; accuracy and latency are those of the plain file, whose "
            f"outputs are equal bit for bit on {encoding.equal_samples} samples"
        )
        yield Note("weights-encoded", text)
    elif report.sparsity_by_layer:
        text = (
            "pruned weights are stored as zeros: the .tflite itself is no smaller and dense kernels are no "
            "faster for them; only the compressed file shrinks (see gzip_bytes)"
        )
        yield Note("zeros-stored", text)


def _state_notes(report: Report) -> Iterator[Note]:
    if "VAR_HANDLE" in report.operators:
        text = (
            "the model keeps a state in resource variables between inferences: create a new interpreter "
            "(Reset() in TFLite Micro) before each new sequence"
        )
        yield Note("state-kept", text)
    elif any("SEQUENCE" in name for name in report.operators):
        text = (
            "recurrent operators keep their state between inferences: call reset_all_variables() (Reset() in "
            "TFLite Micro) before each new sequence"
        )
        yield Note("state-kept", text)


def _accuracy_notes(report: Report) -> Iterator[Note]:
    if not report.accuracy.is_verified:
        text = "no data was given: outputs were compared on random inputs, accuracy is unknown"
        yield Note("accuracy-unknown", text, "warning")
    elif not report.accuracy.is_labelled:
        text = "the data has no labels: accuracy is agreement with the original model's predictions"
        yield Note("no-labels", text)
