"""A diagnosis on the terminal."""

from __future__ import annotations

from tflite_compress.diagnosis.diagnose import Diagnosis
from tflite_compress.inspection.layer_errors import Layer
from tflite_compress.reporting.scores import change_in_words, format_score
from tflite_compress.support.quantities import format_number, format_share
from tflite_compress.support.terminal import console, grid

BAR = 12


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """The data first, then every layer, then the culprits with what to do."""
    out = console()
    d = diagnosis
    metric = d.metric_facts
    before, after = format_score(metric, d.before), format_score(metric, d.after)
    change = change_in_words(metric, d.drop)
    out.print(f"{d.metric}: {before} in float, {after} in {d.precision} ({change})", markup=False)
    for finding in d.inputs:
        out.print(f"\ndata: {finding.text}\n  {finding.do}", markup=False)
    if not d.inputs:
        out.print("data: calibration and evaluation are alike, preprocessing looks right")
    total = sum(layer.added_noise for layer in d.layers) or 1.0
    table = grid(
        "layer",
        "operator",
        "SNR dB",
        "own dB",
        "weights dB",
        "cosine",
        "clipped",
        "noise added",
        right=(2, 3, 4, 5, 6),
    )
    for layer in d.layers:
        table.add_row(*_row(layer, layer.added_noise / total))
    out.print(table)
    out.print(
        "SNR: against the float model, noise of earlier layers included; own: rounding and clipping of this "
        "output alone",
        markup=False,
    )
    for part in d.lost_parts:
        out.print(f"shared scale: {part.text}\n   {part.do}", markup=False)
    if d.is_harmless:
        noise = " What noise there is comes from:" if d.culprits else ""
        out.print(f"nothing needs repair.{noise}")
    for rank, culprit in enumerate(d.culprits, 1):
        out.print(
            f"{rank}. {culprit.layer} ({format_share(culprit.share)} of the noise): {culprit.why}",
            markup=False,
        )
        if not d.is_harmless:
            out.print(f"   {culprit.do}", markup=False)
    for note in d.notes:
        out.print(f"note: {note.text}", markup=False)


def _row(layer: Layer, share: float) -> tuple[str, ...]:
    weights = "" if layer.weights_snr_db is None else format_number(layer.weights_snr_db)
    bar = "█" * round(share * BAR) or "▏"
    return (
        layer.name,
        layer.operator,
        format_number(layer.snr_db),
        format_number(layer.own_snr_db),
        weights,
        f"{layer.cosine:.4f}",
        format_share(layer.clipped),
        f"{bar} {format_share(share)}",
    )
