"""The model card: what a file is, what it was tested on, and what is unknown.

Its sections follow M. Mitchell et al., "Model Cards for Model Reporting" (2019). What only the model's owner
knows is left open and marked.
"""

from __future__ import annotations

from tflite_compress.reporting.markdown_text import bullets, table
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections import summary_section
from tflite_compress.reporting.sections.notes_section import note_line

OWNER = "_To be written by the model's owner._"


def model_card(found: Recorded) -> str:
    """Write a model card in Markdown.

    Args:
        found: The result.
    """
    report, manifest = found.report, found.manifest
    facts = [
        ("source", f"{found.model} ({manifest['model']['format']})"),
        ("sha256 of the source", manifest["model"]["sha256"] or "a model object in Python"),
        ("device", report.device.title),
        ("recipe", report.recipe.summary),
        ("files", ", ".join(f"{n} ({m['sha256'][:16]}…)" for n, m in manifest["outputs"].items())),
        ("versions", ", ".join(f"{n} {v}" for n, v in manifest["versions"].items())),
    ]
    data = [
        (role, entry["origin"], f"{entry['samples']:,}", entry["sha256"][:16] + "…")
        for role, entry in manifest["data"].items()
    ]
    outputs = [
        (name, score.metric or report.accuracy.metric.name, f"{score.before:.4f}", f"{score.after:.4f}")
        for name, score in report.accuracy.by_output.items()
    ]
    parts = [
        f"# Model card: {report.file}",
        "## Model details",
        table(("fact", "value"), facts),
        "## Intended use",
        OWNER,
        "## Data",
        table(("role", "origin", "samples", "sha256"), data),
        "## Metrics",
        summary_section.to_markdown(found),
        table(("output", "metric", "float32", "result"), outputs),
        "## Limits and caveats",
        bullets(_caveats(found)),
        "## Ethical considerations",
        f"{OWNER} Compression was judged by the metric above over all samples together. The accuracy of a "
        "group that is a small part of the data can drop more than the mean shows.",
    ]
    return "\n\n".join(parts) + "\n"


def _caveats(found: Recorded) -> list[str]:
    report = found.report
    open_findings = [f"{f.subject}: {f.text}" for f in report.fit.findings if f.fits is not True]
    unknown = [] if report.device_latency else ["latency on the device is unknown: it was not measured there"]
    return [*map(note_line, report.notes), *open_findings, *unknown]
