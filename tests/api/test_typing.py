from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

EXAMPLE = Path(__file__).with_name("typed") / "user_example.py"
WRONG = """import tflite_compress as tc

tc.compress("m.keras", "rp2040", colour=1)
tc.apply("m.keras", "prune")
text: str = tc.convert("m.keras")
"""


def run_mypy(file: Path, folder: Path) -> str:
    """Run mypy --strict as a user: in another folder, without this project's configuration."""
    environment = {**os.environ, "MYPYPATH": "", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={folder}/cache"]
    silent = ["--follow-imports=silent", "--ignore-missing-imports", str(file)]
    done = subprocess.run(
        [*command, *silent], cwd=folder, env={**environment, "MYPYPATH": str(ROOT)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    return done.stdout


@pytest.mark.slow
def test_a_users_program_is_typed(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    (tmp_path / "wrong.py").write_text(WRONG)
    assert "Success: no issues found" in run_mypy(tmp_path / EXAMPLE.name, tmp_path)
    wrong = run_mypy(tmp_path / "wrong.py", tmp_path)
    assert wrong.count("error:") == 3 and 'Unexpected keyword argument "colour"' in wrong


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "tflite_compress" / "py.typed").is_file()
