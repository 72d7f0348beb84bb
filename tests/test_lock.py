"""The lock file holds, for each dependency, a version in the range that is promised, with hashes."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from tests.conftest import ROOT

LOCK = (ROOT / "requirements-dev.lock").read_text()
PINNED = re.findall(
    r"^([a-z0-9-]+)==(\S+)(?: ; (.*?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)*)", LOCK, re.M
)
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("wanted", [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]])
def test_each_dependency_is_locked_in_its_range(wanted: str, python: str) -> None:
    requirement = Requirement(wanted)
    environment = {"python_full_version": f"{python}.1"}
    found = [
        version
        for name, version, marker, _ in PINNED
        if name == requirement.name and (not marker or Marker(marker).evaluate(environment))
    ]
    assert len(found) == 1
    assert requirement.specifier.contains(found[0], prereleases=True)


def test_every_version_has_a_hash() -> None:
    assert len(PINNED) == len(re.findall(r"^[a-z0-9-]+==", LOCK, re.M)) > 80
    assert all(hashes for *_, hashes in PINNED)


def test_pythons_are_those_declared() -> None:
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
    for minor in (11, 12, 13):
        assert f"Programming Language :: Python :: 3.{minor}" in PROJECT["classifiers"]
