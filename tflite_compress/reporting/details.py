"""What the page shows besides the figures: bytes by layer, operators' times, worst layers, sample images.

Each is plain data for ``report.json``. None decides anything, so what cannot be found out is left out with
a note instead of ending a run that has its result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tflite_compress.inspection.weights import read_weights
from tflite_compress.passes import ConvertedModel, Stage
from tflite_compress.pipeline.candidates import Attempt
from tflite_compress.reporting.histograms import worst_layers
from tflite_compress.reporting.pictures import sample_pictures
from tflite_compress.scoring.reference import Reference
from tflite_compress.support.errors import CompressError
from tflite_compress.support.progress import Progress
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.timing.profile import profile_content

OPERATOR_SECONDS = 1.5
MAX_OPERATORS = 150
MAX_PARAMETERS = 5_000_000
INTEGER = ("int8", "int16x8")


def details(original: bytes, chosen: Attempt, reference: Reference, progress: Progress) -> dict[str, Any]:
    """Everything the page shows besides the figures.

    Args:
        original: The original as plain float32 ``.tflite``.
        chosen: The attempt whose file is kept.
        reference: The original model on the data.
        progress: Where to report.

    Returns:
        Additions to the report: ``layers``, ``operator_times``, ``worst_layers``, ``pictures``; and
        ``missing``, what could not be found out and why.
    """
    model = chosen.model
    runs_here = model.for_litert
    assert runs_here is not None and chosen.outputs is not None
    missing: list[str] = []

    def tried(what: str, compute: Callable[[], Any]) -> Any:
        try:
            return compute()
        except CompressError as error:
            missing.append(f"{what}: {error.message}")
            return None

    with progress.step("timing its operators"):
        times = tried("time of each operator", lambda: operator_times(runs_here))
    with progress.step("looking at its layers"):
        worst = tried("worst layers", lambda: _worst(chosen, reference))
    return {
        "layers": layer_bytes(original, runs_here),
        "operator_times": times,
        "worst_layers": worst or [],
        "pictures": sample_pictures(reference, chosen.outputs),
        "missing": missing,
    }


def layer_bytes(original: bytes, result: bytes) -> list[dict[str, Any]]:
    """Bytes of each layer's weights before and after, in the original's order of execution.

    Layers are matched by name; 0 stands where a layer has weights in one of the files only.

    Args:
        original: A ``.tflite``.
        result: Another one made from the same model.
    """
    sides = []
    for content in (original, result):
        found: dict[str, int] = {}
        for tensor in read_weights(unpack(content)):
            found[tensor.layer] = found.get(tensor.layer, 0) + tensor.bytes
        sides.append(found)
    names = dict.fromkeys([*sides[0], *sides[1]])
    return [{"layer": n, "before": sides[0].get(n, 0), "after": sides[1].get(n, 0)} for n in names]


def operator_times(content: bytes) -> dict[str, Any]:
    """Time of each operator of a file on this machine; see ``timing.profile``.

    Raises:
        ModelError: There are too many, or the file cannot be cut.
    """
    found = profile_content(content, "", seconds=OPERATOR_SECONDS, max_operators=MAX_OPERATORS)
    rows = [{**asdict(row), "told": row.is_above_noise} for row in found.rows]
    return {"method": found.method, "where": found.where, "total_ms": found.total_ms, "rows": rows}


def _worst(chosen: Attempt, reference: Reference) -> list[dict[str, Any]]:
    """Histograms of the layers that integers hurt most; none where nothing was rounded to integers."""
    steps = [step for step in chosen.steps if step.config.stage is Stage.CONVERT]
    converted = [step.model for step in steps if isinstance(step.model, ConvertedModel)]
    network = chosen.model.network
    if not converted or chosen.recipe.conversion.precision not in INTEGER:
        return []
    if network.parameter_count() > MAX_PARAMETERS:
        raise CompressError(f"the model has over {MAX_PARAMETERS:,} parameters; see 'diagnose'")
    return worst_layers(network, converted[-1].flatbuffer, reference.splits.evaluate.inputs)
