"""The package keeps its layers, and its structure keeps the figures that were agreed on."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.conftest import ROOT

MAX_TOP_MODULES = 8
MAX_ANY = 150


@pytest.fixture(scope="module")
def structure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("structure", ROOT / "benchmarks" / "structure.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_packages_import_only_from_those_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS


def test_few_modules_lie_beside_the_packages(structure: ModuleType) -> None:
    assert len(structure.top_modules()) <= MAX_TOP_MODULES


def test_each_basename_occurs_once(structure: ModuleType) -> None:
    assert structure.repeated_basenames() == []


def test_nothing_outside_passes_asks_for_a_pass_class(structure: ModuleType) -> None:
    assert len(structure.pass_classes()) > 15
    assert structure.pass_tests() == []


def test_files_and_functions_stay_short(structure: ModuleType) -> None:
    assert structure.long_files() == []
    assert structure.long_functions() == []


def test_few_values_have_no_type(structure: ModuleType) -> None:
    assert sum(map(structure.uses_of_any, structure.modules())) < MAX_ANY
