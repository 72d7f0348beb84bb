from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import tflite_compress as tc
from tests.conftest import EXAMPLES
from tflite_compress import api

# Their examples compress, convert or time models, 2 to 13 s.
SLOW = (
    "compress_devices",
    "compress_model",
    "file_functions",
    "results",
    "study_model",
    "timing_functions",
    "transform",
)
NAMES = [module.name for module in pkgutil.iter_modules(api.__path__)]


@pytest.fixture(scope="module")
def converted() -> dict[str, tc.TFLiteModel]:
    """Models that examples converted, by the arguments of the call."""
    return {}


@pytest.fixture
def convert_once(converted: dict[str, tc.TFLiteModel], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let equal calls of ``convert`` in examples share one conversion."""
    convert = tc.convert

    def cached(*arguments: Any, **options: Any) -> tc.TFLiteModel:
        key = repr((arguments, options))
        if key not in converted:
            converted[key] = convert(*arguments, **options)
        return converted[key]

    monkeypatch.setattr(tc, "convert", cached)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NAMES]
)
@pytest.mark.usefixtures("convert_once")
def test_every_docstring_example_runs(name: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    result = doctest.testmod(importlib.import_module(f"{api.__name__}.{name}"), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
    assert [path.name for path in tmp_path.iterdir()] == ["examples"]
