"""The reference pages are those the generator writes from the schema."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from tests.conftest import ROOT
from tflite_compress.passes import all_passes
from tflite_compress.pipeline.recipes import all_recipes, load_recipe


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["recipes.md", "devices.md", "tasks.md"])
def test_the_page_is_up_to_date(generator: ModuleType, name: str) -> None:
    written = (ROOT / "docs" / name).read_text()
    assert written == generator.pages()[name], f"docs/{name} is old: python docs/generate.py"


def test_every_setting_has_a_meaning(generator: ModuleType) -> None:
    for name, page in generator.pages().items():
        assert "|  |\n" not in page, name


def test_every_pass_and_recipe_is_there(generator: ModuleType) -> None:
    page = generator.recipes_page()
    for kind in all_passes().values():
        assert f"### {kind.tag()}\n" in page
    for recipe in all_recipes():
        assert f"| `{recipe.name}` |" in page


def test_the_example_recipe_is_valid(generator: ModuleType) -> None:
    text = "\n".join(generator.RECIPES_TEXT)
    with open("mine.toml", "w") as file:
        file.write(text.split("```toml\n")[1].split("```")[0])
    assert load_recipe("mine.toml").name == "mine"
