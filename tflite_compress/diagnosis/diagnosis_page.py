"""The page of ``diagnose``: data, layers and what to do."""

from __future__ import annotations

from tflite_compress.diagnosis.diagnose import Diagnosis
from tflite_compress.inspection.layer_errors import Layer
from tflite_compress.reporting.facts_page import Card, Cards, FactsPage, Lines, Table
from tflite_compress.reporting.scores import change_in_words, format_score
from tflite_compress.support.quantities import format_number, format_share


def diagnosis_page(found: Diagnosis) -> FactsPage:
    """Show what quantization does to each layer, and which layers cost accuracy."""
    cards = (
        Card("Float", format_score(found.metric_facts, found.before), found.metric),
        Card(found.precision, format_score(found.metric_facts, found.after), found.metric),
        Card(
            "Accuracy",
            change_in_words(found.metric_facts, found.drop),
            "nothing needs repair" if found.is_harmless else None,
        ),
    )
    total = sum(layer.added_noise for layer in found.layers) or 1.0
    data = tuple(f"{finding.text} {finding.do}" for finding in found.inputs)
    culprits = tuple(
        (culprit.layer, format_share(culprit.share), culprit.why, "" if found.is_harmless else culprit.do)
        for culprit in found.culprits
    )
    return FactsPage(
        f"Diagnosis of {found.precision}",
        "The quantized model beside the float model, without training.",
        (
            Cards(cards),
            Lines("Data", data or ("Calibration and evaluation are alike, preprocessing looks right.",)),
            Table(
                "Layers that add most noise",
                ("layer", "of the noise", "why", "what to do"),
                culprits,
                frozenset({1}),
            ),
            *_lost(found),
            _layers(found.layers, total),
            Lines("Notes", tuple(note.text for note in found.notes)),
        ),
    )


def _lost(found: Diagnosis) -> tuple[Lines, ...]:
    texts = tuple(f"{part.text}. {part.do}" for part in found.lost_parts)
    return (Lines("Shared scales", texts),) if texts else ()


def _layers(layers: tuple[Layer, ...], total: float) -> Table:
    rows = tuple(
        (
            layer.name,
            layer.operator,
            format_number(layer.snr_db),
            format_number(layer.own_snr_db),
            "" if layer.weights_snr_db is None else format_number(layer.weights_snr_db),
            format_number(layer.cosine),
            format_share(layer.clipped),
            format_share(layer.added_noise / total),
        )
        for layer in layers
    )
    lead = (
        "SNR: against the float model, noise of earlier layers included. Own: rounding and clipping of this "
        "output alone. The bar is the share of the noise added."
    )
    heads = ("layer", "operator", "SNR, dB", "own, dB", "weights, dB", "cosine", "clipped", "noise added")
    bars = tuple(layer.added_noise / total for layer in layers)
    return Table("Layers", heads, rows, frozenset(range(2, 8)), bars, lead)
