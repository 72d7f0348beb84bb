from __future__ import annotations

from pathlib import Path

import pytest

from tflite_compress.support.errors import UsageError
from tflite_compress.support.references import reference_name, resolve_reference


def test_a_reference_is_imported_from_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "my_objects.py").write_text("objects = {'a': 1}")
    assert resolve_reference("my_objects:objects", "--x") == {"a": 1}


@pytest.mark.parametrize("wrong", ["my_objects", "my_objects:nothing", "no_such_module:x"])
def test_a_wrong_reference_names_the_option(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "my_objects.py").write_text("objects = {'a': 1}")
    with pytest.raises(UsageError, match="--x="):
        resolve_reference(wrong, "--x")


def test_names_of_functions_and_of_callable_objects() -> None:
    class Loss:
        def __call__(self) -> float:
            return 0.0

    assert reference_name("my_module:function") == "my_module:function"
    assert reference_name(len) == "builtins:len"
    assert reference_name(Loss()).endswith("Loss")
