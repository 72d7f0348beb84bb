"""The most quantization-sensitive layers, with histograms."""

from __future__ import annotations

from tflite_compress.reporting.detail_figures import COMPARED_SAMPLES
from tflite_compress.reporting.html import markup, render
from tflite_compress.reporting.markdown_text import table
from tflite_compress.reporting.page_plots import histogram_plot
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register


def to_html(found: Recorded) -> str | None:
    """Render histograms of each layer's activations and weights."""
    details = found.report.details
    if details is None or not details.worst_layers:
        return None
    rows = [
        (
            layer,
            [
                markup(plot)
                for plot in (
                    histogram_plot(layer.activations, f"activations of {layer.layer}", layer.range),
                    histogram_plot(layer.weights, f"weights of {layer.layer}") if layer.weights else None,
                )
                if plot is not None
            ],
        )
        for layer in details.worst_layers
    ]
    samples = min(COMPARED_SAMPLES, found.report.accuracy.samples)
    return render("sections/sensitive_layers.html", rows=rows, samples=samples)


def to_markdown(found: Recorded) -> str | None:
    """Render a table."""
    details = found.report.details
    if details is None or not details.worst_layers:
        return None
    rows = [
        (layer.layer, layer.operator, f"{layer.snr_db:.1f} dB", f"{100 * layer.clipped:.2g} %")
        for layer in details.worst_layers
    ]
    return table(("most quantization-sensitive layers", "operator", "SNR", "clipped values"), rows)


register(
    Section(
        "sensitive-layers",
        90,
        to_html,
        to_markdown,
        NotShown("'tflite-compress diagnose' prints every layer"),
    )
)
