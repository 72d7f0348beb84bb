"""The model card: what a file is, what it was tested on, and what is not known.

The sections follow M. Mitchell et al., "Model Cards for Model Reporting", 2019. What only the model's owner
can say is left open, and marked.
"""

from __future__ import annotations

from tflite_compress.reporting.markdown import Recorded, before_after, safe, table

OWNER = "_To be written by the model's owner._"


def model_card(found: Recorded) -> str:
    """A model card in Markdown.

    Args:
        found: A result with its manifest.
    """
    report, manifest = found.report, found.manifest
    accuracy = report["accuracy"]
    facts = [
        ("made from", f"{found.model} ({manifest['model']['format']})"),
        ("sha256 of that", manifest["model"]["sha256"] or "a model object in Python"),
        ("made for", report["device"]["title"]),
        ("what was done", report["recipe"]["in_short"]),
        ("files", ", ".join(f"{n} ({m['sha256'][:16]}…)" for n, m in manifest["outputs"].items())),
        ("made with", ", ".join(f"{n} {v}" for n, v in manifest["versions"].items())),
    ]
    data = [
        (role, entry["origin"], f"{entry['samples']:,}", entry["sha256"][:16] + "…")
        for role, entry in manifest["data"].items()
    ]
    outputs = [
        (name, f"{values['before']:.4f}", f"{values['after']:.4f}")
        for name, values in accuracy["by_output"].items()
    ]
    parts = [
        f"# Model card: {report['file']}",
        "## Model details",
        table(("fact", "value"), facts),
        "## Intended use",
        OWNER,
        "## Data",
        table(("used to", "origin", "samples", "sha256"), data),
        "## Metrics",
        before_after(report),
        table((f"output ({accuracy['metric']})", "float32", "result"), outputs),
        "## Limits and caveats",
        "\n".join(f"- {safe(note)}" for note in _caveats(found)),
        "## Ethical considerations",
        f"{OWNER} Compression was judged by the metric above, over all samples together: a group that makes "
        "up little of the data can lose more than the mean shows.",
    ]
    return "\n\n".join(parts) + "\n"


def _caveats(found: Recorded) -> list[str]:
    report = found.report
    unknown = report["device_latency"].get("why")
    fit = report.get("fit") or {"findings": []}
    open_ = [f"{f['subject']}: {f['text']}" for f in fit["findings"] if f["fits"] is not True]
    return [*report["notes"], *open_, *([f"latency on the device: {unknown}"] if unknown else [])]
