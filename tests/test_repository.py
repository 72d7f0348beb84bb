"""The files beside the code agree with each other."""

from __future__ import annotations

import re
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from tests.conftest import ROOT

WHOLE: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = WHOLE["project"]
CORE: dict[str, Any] = WHOLE["tool"]["tflite-compress"]["core"]
FORMS = sorted((ROOT / ".github").rglob("*.yml"))


@pytest.mark.parametrize("path", [*FORMS, ROOT / ".pre-commit-config.yaml", ROOT / "CITATION.cff"], ids=str)
def test_yaml_is_well_formed(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_versions_agree() -> None:
    version = PROJECT["version"]
    changes = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(.*?)\] - \d{4}-\d\d-\d\d$", changes, re.MULTILINE)
    assert newest is not None and newest[1] == version
    assert f"\n[{version}]: https://" in changes
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version


def test_the_workflow_tests_every_python() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == declared


def test_files_that_are_named_exist() -> None:
    for name in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / name).read_text()):
            assert (ROOT / target).exists(), (name, target)


def test_the_core_is_a_part_of_the_whole() -> None:
    names = {Requirement(r).name for r in PROJECT["dependencies"]}
    assert set(CORE["dependencies"]) < names
    assert set(CORE["extras"]) < set(PROJECT["optional-dependencies"])


@pytest.mark.slow
def test_the_wheels_of_a_release(tmp_path: Path) -> None:
    subprocess.run(["/usr/bin/env", "python3", ROOT / ".ci" / "build-wheels", tmp_path], check=True)
    core, full = sorted(tmp_path.glob("*.whl"), key=lambda path: "core" not in path.name)
    with zipfile.ZipFile(core) as wheel:
        assert {"tflite_compress/__init__.py", "tflite_compress/_bundled/devices/rp2040.toml"} <= set(
            wheel.namelist()
        )
        assert "tensorflow" not in requirements(wheel)
    with zipfile.ZipFile(full) as wheel:
        assert all(".dist-info/" in name for name in wheel.namelist())
        assert {"tensorflow", "tflite-compress-core"} <= requirements(wheel)
        assert not any(name.endswith("entry_points.txt") for name in wheel.namelist())


def requirements(wheel: zipfile.ZipFile) -> set[str]:
    (name,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    lines = wheel.read(name).decode().splitlines()
    return {Requirement(line[15:]).name for line in lines if line.startswith("Requires-Dist: ")}
