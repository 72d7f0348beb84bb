from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tflite_compress.support.errors import OutputError
from tflite_compress.support.locks import exclusive


def test_only_one_holds_a_lock(tmp_path: Path) -> None:
    lock = tmp_path / ".out.lock"
    with exclusive(lock, "--out=out"):
        with (
            pytest.raises(OutputError, match="--out=out: another run is writing there"),
            exclusive(lock, "--out=out"),
        ):
            pass
        assert lock.exists()
    assert not lock.exists()
    with exclusive(lock, "--out=out"):
        pass


def test_a_killed_process_releases_its_lock(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom tflite_compress.support.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1]), 'x'):\n    os._exit(9)\n"
    )
    lock = tmp_path / "lock"
    assert subprocess.run([sys.executable, "-c", code, lock], check=False).returncode == 9
    assert lock.exists()
    with exclusive(lock, "x"):
        pass
    assert not lock.exists()
