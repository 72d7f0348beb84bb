"""Two runs into one folder; disks that fill up elsewhere than under ``--out``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.interruption.conftest import COMMAND, require_whole_or_none

QUICK = ["--bundle=false", "--details=false", "--ledger=none", "--out=out"]


def _command(model: Path, data: Path, *more: str) -> list[str]:
    return [*COMMAND, "compress", str(model), "--device=raspberry-pi-4", f"--data={data}", *QUICK, *more]


@pytest.mark.slow
def test_the_second_run_into_a_folder_is_refused(
    digits: Path, digits_data: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    first = subprocess.Popen(
        _command(digits, digits_data, "--recipe=prune-int8", "--min-steps=1500", "--max-drop=0.5"),
        env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert first.stderr is not None
    for line in first.stderr:
        if line.startswith("pruning"):
            break
    second = subprocess.run(_command(digits, digits_data), env=environment, capture_output=True, text=True)
    assert second.returncode == 2 and "another run is writing there" in second.stderr
    assert first.wait(300) == 0
    assert require_whole_or_none(tmp_path / "out", 3)


@pytest.mark.slow
@pytest.mark.parametrize("full", ["TMPDIR", "XDG_CACHE_HOME"])
def test_a_full_disk_elsewhere(
    digits: Path, digits_data: Path, environment: dict[str, str], tmp_path: Path, full: str
) -> None:
    """Without room for temporary files a run ends with one clear error, without a cache it goes on."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "small"
    place.mkdir()
    arguments = ("--recipe=prune-int8", "--epochs=1", "--min-steps=1", "--max-drop=100%")
    inner = " ".join(_command(digits, digits_data, *arguments))
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size=24k none {place} && {inner}"],
        env={**environment, full: str(place)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine allows no mount namespace")
    assert "Traceback" not in done.stderr and "unexpected" not in done.stderr, done.stderr
    if full == "TMPDIR":
        assert done.returncode == 2 and "no space left" in done.stderr
        assert not (tmp_path / "out").exists()
    else:
        assert done.returncode == 0 and "no checkpoint written" in done.stderr
        assert require_whole_or_none(tmp_path / "out", 3)
