"""kill -9 at random moments of a compression with pruning."""

from __future__ import annotations

import json
import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.interruption.conftest import COMMAND, killed_after, require_whole_or_none
from tests.needs import marathon_count

KILLS = marathon_count(20, 2)


@pytest.mark.marathon
def test_killed_at_twenty_moments(
    plain_model: Path, digits_data: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    common = [
        "compress", str(plain_model), "--device=raspberry-pi-4", f"--data={digits_data}",
        "--recipe=prune-int8", "--epochs=12", "--min-steps=600", "--bundle=false", "--details=false",
        "--ledger=none", "--max-drop=0.03",
    ]  # fmt: skip
    start = time.monotonic()
    subprocess.run([*COMMAND, *common, "--out=whole"], env=environment, check=True, capture_output=True)
    duration = time.monotonic() - start
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert require_whole_or_none(whole, 3) and list((tmp_path / "cache").rglob("checkpoint")) == []
    expected = (whole / "plain.tflite").read_bytes()
    rng, kills, continued = random.Random(0), 0, 0
    for _ in range(3 * KILLS):
        if killed_after(rng.uniform(0.2, duration), [*common, "--out=out"], environment):
            kills += 1
            continued += bool(list((tmp_path / "cache").rglob("checkpoint")))
        if require_whole_or_none(out, 3):
            assert (out / "plain.tflite").read_bytes() == expected
        if kills == KILLS:
            break
    assert kills == KILLS and (continued or KILLS < 20)  # a few moments may all lie before the training
    done = subprocess.run([*COMMAND, *common, "--out=out"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert require_whole_or_none(out, 3) and (out / "plain.tflite").read_bytes() == expected
    first, last = (json.loads((folder / "report.json").read_text()) for folder in (whole, out))
    assert first["recipe"] == last["recipe"] and first["accuracy"] == last["accuracy"]
    assert {p.name for p in tmp_path.iterdir()} == {"whole", "out", "cache"}


@pytest.mark.slow
def test_resume_is_said_and_can_be_refused(
    plain_model: Path, digits_data: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    common = [
        *COMMAND, "compress", str(plain_model), "--device=raspberry-pi-4", f"--data={digits_data}",
        "--recipe=prune-int8", "--bundle=false", "--details=false", "--ledger=none",
        "--out=out", "--epochs=400",
    ]  # fmt: skip
    process = subprocess.Popen(common, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "cache").rglob("checkpoint")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.kill()
    process.wait()
    for resume, said in (("true", True), ("false", False)):
        again = subprocess.Popen(
            [*common, f"--resume={resume}"], env=environment, stderr=subprocess.PIPE, text=True
        )
        assert again.stderr is not None
        lines = []
        for line in again.stderr:
            lines.append(line)
            if line.startswith("pruning to"):
                break
        again.kill()
        again.wait()
        assert any("continuing after step" in line for line in lines) is said, lines
