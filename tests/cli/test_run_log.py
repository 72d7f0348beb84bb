from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Run
from tests.timing.models import dense


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "m.tflite").write_bytes(dense(16))
    return "m.tflite"


def test_quiet_prints_the_result_only(run: Run, model: str) -> None:
    words = ("benchmark", model, "--seconds=0.01", "--kernels=reference")
    assert "timing" in run(*words)[2]
    code, out, err = run(*words, "--quiet")
    assert code == 0 and err == "" and model in out


def test_verbose_prints_the_time_of_each_step(run: Run, model: str) -> None:
    code, _, err = run("check", model, "--device=rp2040", "-v")
    assert code == 0 and "  running the model: " in err and err.rstrip().endswith(" s")


def test_the_log_file_has_steps_and_tracebacks(run: Run, model: str, tmp_path: Path) -> None:
    assert run("check", model, "--device=rp2040", "--log-file=log.txt")[0] == 0
    assert run("check", "gone.tflite", "--device=rp2040", "--log-file=log.txt", "-q")[0] == 2
    log = (tmp_path / "log.txt").read_text()
    assert "INFO tflite-compress check m.tflite --device=rp2040" in log
    assert log.count("running the model: ") == 1 and "ERROR ModelError" in log and "Traceback" in log


def test_a_log_file_that_cannot_be_written_is_refused(run: Run, model: str) -> None:
    code, out, err = run("inspect", model, "--log-file=no/such/folder")
    assert (code, out) == (2, "") and "--log-file=no/such/folder: cannot be written" in err
