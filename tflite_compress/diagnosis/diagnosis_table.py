"""A diagnosis on the terminal."""

from __future__ import annotations

from tflite_compress.diagnosis.diagnose import Diagnosis
from tflite_compress.inspection.layer_errors import Layer
from tflite_compress.reporting.scores import change_in_words, format_score
from tflite_compress.support.quantities import format_number, format_share
from tflite_compress.support.terminal import Grid, console, grid

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
    out.print(_layer_table(d))
    out.print(
        "SNR: against the float model, noise of earlier layers included; own: rounding and clipping of this "
        "output alone",
        markup=False,
    )
    for part in d.lost_parts:
        out.print(f"shared scale: {part.text}\n   {part.do}", markup=False)
    _print_culprits(d)
    for note in d.notes:
        out.print(f"note: {note.text}", markup=False)


def _layer_table(diagnosis: Diagnosis) -> Grid:
    """Return a row for each layer."""
    total = sum(layer.added_noise for layer in diagnosis.layers) or 1.0
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
    for layer in diagnosis.layers:
        table.add_row(*_row(layer, layer.added_noise / total))
    return table


def _print_culprits(diagnosis: Diagnosis) -> None:
    """Print which layers cause the noise, and what to do."""
    out = console()
    if diagnosis.is_harmless:
        noise = " What noise there is comes from:" if diagnosis.culprits else ""
        out.print(f"nothing needs repair.{noise}")
    for rank, culprit in enumerate(diagnosis.culprits, 1):
        out.print(
            f"{rank}. {culprit.layer} ({format_share(culprit.share)} of the noise): {culprit.why}",
            markup=False,
        )
        if not diagnosis.is_harmless:
            out.print(f"   {culprit.do}", markup=False)


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
