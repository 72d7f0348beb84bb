"""Pages quote messages the package really has, link to files that exist, and show code that runs."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT, Run
from tflite_compress.cli.command_registry import all_commands
from tflite_compress.cli.fire_adapter import resolve
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.load import load_model
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.base import REGISTERED
from tflite_compress.passes.convert import Convert
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.progress import Silent

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
TROUBLES = (ROOT / "docs" / "troubleshooting.md").read_text()
QUOTED = re.findall(r"^### `([^`]*)`$", TROUBLES, re.MULTILINE)
GENERATED = ("cli.md", "api.md")  # by docs/hooks.py, when the site is built
ADDING = (ROOT / "docs" / "adding.md").read_text()


def strings() -> Iterator[str]:
    """Every text in the package's source, with ``…`` for what is filled in."""
    for path in (ROOT / "tflite_compress").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values)


def test_quoted_messages_are_in_the_source() -> None:
    said = "\n".join(strings())
    assert len(QUOTED) > 25
    missing = [message for message in QUOTED if not all(part.strip() in said for part in message.split("…"))]
    assert missing == []


def test_every_trouble_has_an_answer() -> None:
    for block in re.split(r"^### .*\n", TROUBLES, flags=re.MULTILINE)[1:]:
        assert block == "" or len(block.split()) > 7, block


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists() or target in GENERATED, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_commands_have_the_options_shown(page: Path) -> None:
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("tflite-compress "):
                name, *words = shlex.split(line.partition(" > ")[0])[1:]
                assert callable(resolve(all_commands()[name], words)), line


def test_the_commands_of_adding_md_run(run: Run, int8_file: Path) -> None:
    Path("model.tflite").write_bytes(int8_file.read_bytes())
    for block in re.findall(r"```sh\n(.*?)```", ADDING, re.DOTALL):
        for line in block.splitlines():
            command, _, target = line.partition(" > ")
            code, out, err = run(*shlex.split(command)[1:])
            assert code == 0 and out, (line, err)
            if target:
                Path(target).write_text(out)


def test_the_example_pass_works(
    digits: Path, digits_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = re.search(r"```python\n(.*?)```", ADDING, re.DOTALL)
    assert example is not None
    (tmp_path / "clip_example.py").write_text(example[1])
    monkeypatch.syspath_prepend(tmp_path)
    clip = importlib.import_module("clip_example").Clip
    source = load_model(digits)
    splits = gather(DataSpec(digits_data), source.network, 0)
    context = Context(make_reference(source.network, splits, None, None, None), 0, Silent())
    model = FloatModel(source.network)
    try:
        clipped = clip(deviations=2.0).apply(model, context)
    finally:
        del REGISTERED["clip"]
    [note] = clipped.notes
    assert re.fullmatch(r"\d+ weights clipped", note.text) and note.text != "0 weights clipped"
    before, after = (m.network.handle.get_weights() for m in (model, clipped))
    kernels = [(b, a) for b, a in zip(before, after, strict=True) if b.ndim > 1]
    assert all(np.abs(a).max() <= 2.0001 * b.std() for b, a in kernels)
    done = Convert(precision="float32").apply(replace(clipped), context)
    assert done.flatbuffer[4:8] == b"TFL3"
