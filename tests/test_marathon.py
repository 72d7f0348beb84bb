"""``.ci/marathon`` runs every marathon test, and keeps to its budget."""

from __future__ import annotations

import json
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

GROUPS: dict[str, dict[str, Any]] = json.loads((ROOT / ".ci" / "marathon.json").read_text())


@pytest.fixture(scope="module")
def script() -> Any:
    spec = spec_from_loader("marathon", SourceFileLoader("marathon", str(ROOT / ".ci" / "marathon")))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_marathon_test_is_in_a_group() -> None:
    places = [place for group in GROUPS.values() for place in group["tests"]]
    for path in (ROOT / "tests").rglob("test_*.py"):
        name = path.relative_to(ROOT).as_posix()
        if "pytest.mark" + ".marathon" in path.read_text():
            assert any(name == place or name.startswith(f"{place}/") for place in places), name


def test_every_glob_names_files() -> None:
    for group in GROUPS.values():
        for pattern in [*group["tests"], *group["depends"]]:
            assert next(ROOT.glob(pattern), None) is not None, pattern


def test_a_change_of_a_dependency_makes_a_group_stale(script: Any) -> None:
    group = {"depends": ["README.md"], "green": None}
    assert script.is_stale(group)
    group["green"] = script.digest(group)
    assert not script.is_stale(group)
    group["depends"] = ["README.md", "CHANGELOG.md"]
    assert script.is_stale(group)


def test_the_longest_groups_are_sampled_where_the_budget_is_short(script: Any) -> None:
    groups = {
        name: {"minutes": {"whole": whole, "sample": 1}} for name, whole in (("a", 2), ("b", 9), ("c", 4))
    }
    assert script.choose_samples(groups, list(groups), None) == set()
    assert script.choose_samples(groups, list(groups), 15) == set()
    assert script.choose_samples(groups, list(groups), 7) == {"b"}
    assert script.choose_samples(groups, list(groups), 6) == {"b", "c"}  # samples run two at a time
    assert script.choose_samples(groups, list(groups), 0) == {"a", "b", "c"}


def test_what_passed_on_this_machine_is_not_run_again_on_the_same_files(
    script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A sample that passed leaves its time to whole groups, and a whole group that passed is green."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(script, "RECORD", tmp_path / "groups.json")
    minutes = {"whole": 2, "sample": 1}
    groups = {name: {"depends": ["README.md"], "minutes": minutes, "green": None} for name in "ab"}
    script.RECORD.write_text(json.dumps(groups))
    ran: list[str] = []

    def run(group: dict[str, Any], sample: bool) -> tuple[bool, float, str]:
        ran.append("sample" if sample else "whole")
        return True, 1.0, ""

    monkeypatch.setattr(script, "run", run)
    monkeypatch.setattr("sys.argv", ["marathon", "--minutes=2"])
    for expected in (["sample", "sample"], ["whole"], ["whole"], []):
        ran.clear()
        assert script.main() == 0
        assert ran == expected
    assert json.loads(script.RECORD.read_text()) == groups  # nothing in the repository changes
    monkeypatch.setattr(script, "digest", lambda group: "changed")
    assert script.main() == 0
    assert ran == ["sample", "sample"]


def test_samples_run_two_at_a_time_and_the_longest_first(
    script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most, started = 0, 0, []

    def run(group: dict[str, Any], sample: bool) -> tuple[bool, float, str]:
        nonlocal running, most
        started.append(group["name"])
        running += 1
        most = max(most, running)
        time.sleep(0.05)
        running -= 1
        return group["name"] != "c", 1.0, "printed" if sample else ""

    monkeypatch.setattr(script, "run", run)
    groups = {name: {"name": name, "minutes": {"sample": order}} for order, name in enumerate("abcd")}
    found = list(script.run_all(groups, list(groups), {"b", "c", "d"}))
    assert started[:2] == ["a", "d"] and most == 2
    assert [name for name, *_ in found] == ["a", "d", "c", "b"]
    assert [passed for _, passed, *_ in found] == [True, True, False, True]
    assert [output for *_, output in found] == ["", "printed", "printed", "printed"]
