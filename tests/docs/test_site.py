"""The documentation site builds without a warning, and holds every page, command and public name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tflite_compress
from tests.conftest import ROOT
from tflite_compress.cli.command_registry import all_commands

DOCS = ROOT / "docs"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    return folder


def test_every_page_is_in_the_navigation(site: Path) -> None:
    nav = (ROOT / "mkdocs.yml").read_text()
    for page in DOCS.rglob("*.md"):
        assert re.search(rf"[ -]{page.relative_to(DOCS)}$", nav, re.MULTILINE), page
        name = page.relative_to(DOCS).with_suffix("")
        assert (site / ("index.html" if page.stem == "index" else f"{name}/index.html")).exists()


def test_every_command_is_documented(site: Path) -> None:
    page = (site / "cli" / "index.html").read_text()
    for command in all_commands():
        assert f'<h2 id="{command}">' in page


def test_every_public_name_is_documented(site: Path) -> None:
    page = (site / "api" / "index.html").read_text()
    for name in tflite_compress.__all__:
        if callable(getattr(tflite_compress, name)):
            assert re.search(rf'id="tflite_compress\.[\w.]*\b{name}"', page), name
