"""kill -9 at random moments of a search."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interruption.conftest import COMMAND, killed_after, require_whole_or_none
from tests.needs import marathon_count

KILLS = marathon_count(10, 2)
LATEST_SECONDS = 25


@pytest.mark.marathon
def test_killed_at_ten_moments(
    plain_model: Path, digits_data: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    common = [
        "search", str(plain_model), "--device=rp2040", f"--data={digits_data}", "--trials=3",
        "--max-drop=0.05", "--minimize=size", "--time-budget=20m", "--ledger=none",
    ]  # fmt: skip
    rng, kills, out = random.Random(1), 0, tmp_path / "out"
    for _ in range(6 * KILLS):
        killed = killed_after(rng.uniform(0.2, LATEST_SECONDS), [*common, "--out=out"], environment)
        kills += killed
        if out.exists():
            _require_complete(out)
        if kills == KILLS:
            break
        if not killed:  # it came to its end before: from the beginning again
            shutil.rmtree(out)
            shutil.rmtree(tmp_path / "out.search", ignore_errors=True)
    assert kills == KILLS
    done = subprocess.run([*COMMAND, *common, "--out=out"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    record = _require_complete(out)
    assert [t["trial"] for t in record["trials"]] == [0, 1, 2]
    assert all(t["outcomes"] for t in record["trials"])
    left = {p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")}
    assert left <= {"out", "out.search", "cache"}


def _require_complete(out: Path) -> dict[str, list[dict[str, object]]]:
    record: dict[str, list[dict[str, object]]] = json.loads((out / "search.json").read_text())
    assert record["trials"]
    for manifest in out.rglob("manifest.json"):
        if manifest.parent != out:
            require_whole_or_none(manifest.parent, 3)
    return record
