from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Run
from tests.narrow import present
from tests.reporting.test_ledger import add
from tflite_compress.reporting.ledger import runs
from tflite_compress.reporting.mlflow_export import export


@pytest.mark.slow
def test_runs_arrive_in_mlflow_once(run: Run, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    ledger, uri = tmp_path / "runs.sqlite", f"sqlite:///{tmp_path / 'mlflow.db'}"
    add(ledger)
    add(ledger, "esp32")
    code, out, _ = run("runs", f"--ledger={ledger}", f"--mlflow={uri}")
    assert code == 0 and "added 2 of 2 runs" in out
    add(ledger, "esp32-s3")
    assert export(runs(ledger), uri) == 1
    client = MlflowClient(tracking_uri=uri)
    experiment = present(client.get_experiment_by_name("tflite-compress"))
    found = client.search_runs([experiment.experiment_id])
    assert {r.data.params["device"] for r in found} == {"rp2040", "esp32", "esp32-s3"}
    first = next(r for r in found if r.data.params["device"] == "rp2040")
    assert first.data.metrics["bytes_after"] == 33424 and first.data.metrics["accuracy_after"] == 0.968
    assert first.info.status == "FINISHED" and first.data.tags["verdict"] == "ready"


@pytest.mark.parametrize("uri", ["nonsense://x", "sqlite:////proc/nowhere/mlflow.db"])
def test_an_unusable_mlflow_uri_is_an_error(run: Run, tmp_path: Path, uri: str) -> None:
    add(tmp_path / "runs.sqlite")
    code, _, err = run("runs", f"--ledger={tmp_path / 'runs.sqlite'}", f"--mlflow={uri}")
    assert code == 2 and uri in err and "Traceback" not in err
