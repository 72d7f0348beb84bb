"""Recorded runs as runs of an MLflow experiment, for teams that keep their figures there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tflite_compress.reporting.ledger import Run
from tflite_compress.support.errors import UsageError

_PARAMETERS = "command model model_sha256 device recipe in_short metric samples file latency_where".split()
_METRICS = (
    "accuracy_before accuracy_after accuracy_drop bytes_before bytes_after latency_ratio latency_ms seconds"
).split()
LONGEST = 500  # characters of a parameter every MLflow store takes
MAX_SETTINGS = 5000  # characters of a tag
LEDGER_TAG = "tflite_compress.ledger_id"
HASH_TAG = "tflite_compress.file_sha256"


def export(found: Sequence[Run], tracking_uri: str, experiment: str = "tflite-compress") -> int:
    """Log runs to MLflow; those already there (same ledger number and file) are left alone.

    Args:
        found: Recorded runs.
        tracking_uri: Where to: ``sqlite:///mlflow.db``, ``http://server:5000``, ...
        experiment: Name of the experiment; made where it does not exist.

    Returns:
        How many were added.

    Raises:
        UsageError: MLflow is not installed, or the place cannot be used.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # MLflow reports its use unless told not to
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise UsageError("mlflow is not installed", "pip install 'tflite-compress[mlflow]'") from error
    try:
        client = MlflowClient(tracking_uri=tracking_uri)
        known = client.get_experiment_by_name(experiment)
        place = known.experiment_id if known is not None else client.create_experiment(experiment)
        return sum(_log(client, place, run) for run in found)
    except Exception as error:  # MLflow's, SQLAlchemy's and requests' errors have no common base
        reason = " ".join(str(error).split())[:200]
        hint = "For example --mlflow=sqlite:///mlflow.db or --mlflow=http://server:5000."
        raise UsageError(f"--mlflow={tracking_uri}: {reason}", hint) from error


def _log(client: Any, experiment: str, run: Run) -> int:
    f = run.figures
    same = f"tags.`{LEDGER_TAG}` = '{run.id}' and tags.`{HASH_TAG}` = '{f['file_sha256']}'"
    if client.search_runs([experiment], same, max_results=1):
        return 0
    name = f"{Path(f['model']).stem}-{f['device']}-{f['recipe']}"
    tags = {LEDGER_TAG: str(run.id), HASH_TAG: str(f["file_sha256"]), "verdict": f["verdict"]}
    begun = client.create_run(experiment, tags=tags, run_name=name).info.run_id
    for key in _PARAMETERS:
        client.log_param(begun, key, str(f[key])[:LONGEST])
    for key in _METRICS:
        if f[key] is not None:
            client.log_metric(begun, key, float(f[key]))
    client.set_tag(begun, "fits", "unknown" if f["fits"] is None else str(f["fits"]))
    client.set_tag(begun, "mlflow.note.content", _notes(run))
    client.set_tag(begun, "settings", _settings(run))
    client.set_terminated(begun)
    return 1


def _notes(run: Run) -> str:
    return "" if run.report is None else "\n".join(f"- {note.text}" for note in run.report.notes)


def _settings(run: Run) -> str:
    return "" if run.report is None else msgspec.json.encode(run.report.passes).decode()[:MAX_SETTINGS]
