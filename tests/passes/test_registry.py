"""The registry knows every pass, and nothing outside ``passes`` tests for a pass class."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tflite_compress.passes import Domain, PassConfig, Stage, all_passes, pass_type, register
from tflite_compress.passes.prune import Prune
from tflite_compress.support.errors import ConfigError

PACKAGE = ROOT / "tflite_compress"


def test_every_pass_is_found_by_its_tag() -> None:
    assert {"prune", "convert", "bias_correct", "export_trees"} <= {*all_passes()}
    for tag, kind in all_passes().items():
        assert kind.tag() == tag and "-" not in tag
        assert isinstance(kind.stage, Stage) and isinstance(kind.domain, Domain)
    assert pass_type("bias-correct") is pass_type("bias_correct")


def test_unknown_passes_are_refused_with_a_guess() -> None:
    with pytest.raises(ConfigError, match=r"no pass 'prun'\. Did you mean 'prune'\?"):
        pass_type("prun")


def test_a_tag_is_given_once() -> None:
    class Other(PassConfig, frozen=True, tag="prune"):
        """Another pass of the same name."""

    with pytest.raises(TypeError, match="pass 'prune' is defined twice"):
        register(Other)
    assert pass_type("prune") is Prune


def test_safer_values_are_settings() -> None:
    for kind in all_passes().values():
        fields = {*kind.__struct_fields__}
        assert {*kind.safer_values} <= fields, kind
        assert {*kind.excludes} <= {*all_passes()}, kind


def test_settings_load_without_numpy() -> None:
    code = (
        "import sys; import tflite_compress.pipeline.recipes as r; r.all_recipes(); "
        "sys.exit([m for m in ('numpy', 'tensorflow', 'ai_edge_litert') if m in sys.modules] or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def uses_in_tests(path: Path, names: set[str]) -> Iterator[str]:
    """Calls of isinstance and issubclass, and comparisons of types, that name a pass class."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call | ast.Compare | ast.MatchClass):
            continue
        called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
        if called in ("isinstance", "issubclass") or not isinstance(node, ast.Call):
            used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            used |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
            for name in sorted(used & names):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {name}"


def test_nothing_outside_passes_tests_for_a_pass_class() -> None:
    bases = {base for kind in all_passes().values() for base in kind.__mro__ if issubclass(base, PassConfig)}
    names = {base.__name__ for base in bases - {PassConfig}}
    assert {"Convert", "Repair", "ConversionPass"} <= names
    others = [p for p in PACKAGE.rglob("*.py") if p.parent.name not in ("passes", "algorithms")]
    assert len(others) > 100
    assert [found for path in others for found in uses_in_tests(path, names)] == []
