"""The catalogue of tested models is well formed, outcomes are judged, and the page has no bug in it."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import pytest
from tested_catalogue import CATALOGUE, read_catalogue
from tested_files import folder_of
from tested_models import read_outcomes
from tested_outcome import WORDS, Outcome, judge
from tested_table import PAGE, page

from tflite_compress.cli.command_registry import all_commands
from tflite_compress.cli.fire_adapter import resolve

FOUND = read_catalogue()
CELL = re.compile(r"(ok|no|refused|differs|wrong|too long)( \[\d+\])?, \d+\.\d s")


def test_the_catalogue_has_enough_models_with_pinned_packages() -> None:
    assert len(FOUND.models) >= 40
    for source in FOUND.sources.values():
        separator = {"pypi": "==", "npm": "@", "built": ""}[source.registry]
        name, _, version = source.package.rpartition(separator) if separator else (source.package, "", "0")
        assert name and re.match(r"\d", version), source
        assert source.license
    folders = {folder_of(model, Path()) for model in FOUND.models}
    assert len(folders) == len(FOUND.models)


def test_a_model_without_trained_weights_names_its_file() -> None:
    for model in FOUND.models:
        assert (FOUND.sources[model.source].registry == "built") == (model.saved is not None), model.name
        assert model.is_keras != model.path.endswith(".tflite"), model.name


@pytest.mark.parametrize("column", [*FOUND.keras, *FOUND.tflite])
def test_a_command_is_one_of_the_tool(column: str) -> None:
    line = {**FOUND.keras, **FOUND.tflite}[column].format(model="m", options="", out="o", data="d")
    name, *words = line.split()
    assert callable(resolve(all_commands()[name], words))


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    text = CATALOGUE.read_text()
    first = text[text.index("[[models]]") : text.index("[[models]]", text.index("[[models]]") + 1)]
    (tmp_path / "twice.toml").write_text(text + "\n" + first)
    with pytest.raises(ValueError, match="occurs twice"):
        read_catalogue(tmp_path / "twice.toml")


def test_outcomes_are_judged_by_exit_code_and_message() -> None:
    assert judge("inspect", 0, "{}", "") == ("ok", None)
    assert judge("inspect", 2, "", "error: not a file\nhint: Check it.") == ("refused", "not a file")
    bug = "error: unexpected IndexError: 0\nhint: This is a bug. Run the command again with --debug."
    assert judge("profile", 3, "", bug) == ("wrong", "unexpected IndexError: 0")
    assert judge("profile", -11, "", "") == ("wrong", "exit code -11: no message")
    assert judge("profile", 2, "", "") == ("wrong", "exit code 2 without a message")
    assert judge("int8", 1, "✗ too large: flash 69 KB of 20 KB\n", "") == (
        "no",
        "too large: flash 69 KB of 20 KB",
    )


def test_devices_and_runtimes_are_read_from_json() -> None:
    devices = [{"device": "rp2040", "fits": False}, {"device": "raspberry-pi-4", "fits": True}]
    assert judge("check", 1, json.dumps(devices), "") == ("ok", "fits raspberry-pi-4")
    first = {"runtime": "litert", "same": None}
    found = {"output": "y", "value": 0.5, "tolerance": 0.1, "rule": "1 step of 0.1"}
    other = {"runtime": "tflm", "same": False, "differences": [found]}
    refusing = {"runtime": "tflm", "same": False, "error": "no operator"}
    assert judge("verify", 1, json.dumps([first, other]), "") == (
        "differs",
        "tflm: y differs by 0.5, tolerance 0.1 (1 step of 0.1)",
    )
    assert judge("verify", 1, json.dumps([first, refusing]), "") == ("refused", "tflm: no operator")
    assert judge("verify", 1, "[", "")[0] == "wrong"


def test_the_table_has_a_row_for_each_model_that_ran() -> None:
    model = FOUND.models[0]
    outcomes = [
        Outcome(model.name, "inspect", "ok", 1.04, None, "abc"),
        Outcome(model.name, "check", "refused", 2.0, "no | `tick`", "abc"),
    ]
    text = page(FOUND, {(o.model, o.column): o for o in outcomes}, datetime.date(2026, 11, 27))
    assert f"| {model.name} | {model.source} | ok, 1.0 s | refused [1], 2.0 s |  |" in text
    assert "1. `no | 'tick'`" in text
    assert "1 models on 2026-11-27" in text and "abc" in text
    assert FOUND.models[1].name not in text


def test_the_newest_outcome_counts(tmp_path: Path) -> None:
    assert read_outcomes(tmp_path / "none.jsonl") == {}
    lines = [
        {"model": "m", "column": "c", "word": w, "seconds": 1, "reason": None, "commit": "a"}
        for w in WORDS[:2]
    ]
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_outcomes(tmp_path / "some.jsonl")["m", "c"].word == WORDS[1]


def test_the_page_lists_forty_models_and_no_bug() -> None:
    text = PAGE.read_text()
    names = {model.name for model in FOUND.models}
    rows = [line.split(" | ") for line in text.splitlines() if CELL.search(line)]
    assert len(rows) >= 40
    assert {row[0].removeprefix("| ") for row in rows} <= names
    words = [found[1] for row in rows for found in map(CELL.match, row) if found]
    assert "wrong" not in words
    assert "This is a bug" not in text and "Traceback" not in text and "unexpected " not in text
