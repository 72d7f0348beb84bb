"""Pages of single commands: their content, escaping, and where they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.reporting.example_pages import EVIL, example_pages
from tests.timing.models import dense
from tflite_compress.reporting.facts_page import FactsPage, Lines, Table, facts_html

OUTSIDE = re.compile(r"(src|href|url)\s*[=(]\s*[\"']?\s*(https?:)?//", re.IGNORECASE)


@pytest.fixture
def pages(tmp_path: Path) -> dict[str, str]:
    return {name: facts_html(page) for name, page in example_pages(tmp_path).items()}


def test_names_are_escaped_and_nothing_is_loaded(pages: dict[str, str]) -> None:
    assert sorted(pages) == ["benchmark", "check", "diagnose", "diff", "inspect", "search"]
    for name, html in pages.items():
        assert EVIL not in html and "&lt;script&gt;alert(1)" in html, name
        assert "://" not in html and not OUTSIDE.search(html), name
        assert html.count("<script>") == 1 and "default-src 'none'" in html, name


def test_pages_hold_the_figures(pages: dict[str, str]) -> None:
    assert "768 MACs" in pages["inspect"] and pages["inspect"].count('<td class="n">1 KB</td>') == 6
    assert "<svg" in pages["inspect"] and "FULLY_CONNECTED" in pages["inspect"]
    assert "FLOAT32 16x16, 1 KB" in pages["diff"] and "FLOAT32 8x8, 256 bytes" in pages["diff"]
    assert "2 too large" in pages["check"] and "~2.86 MB" in pages["check"]
    assert "12.1 KB" in pages["search"] and "-1.23 points" in pages["search"]
    assert 'href="found/points/01/"' in pages["search"] and "(untrained)" in pages["search"]
    assert (
        "93 %" in pages["diagnose"]
        and "-5 points" in pages["diagnose"]
        and "75 %" in pages["diagnose"]
        and "Train longer." in pages["diagnose"]
    )
    assert "15.3 µs" in pages["benchmark"]
    assert "2x slower (1.9x to 2.1x) than a.tflite" in pages["benchmark"]


def test_a_page_replaces_a_page_only_and_is_written_whole(run: Run, tmp_path: Path) -> None:
    model, page = tmp_path / "a.tflite", tmp_path / "pages" / "a.html"
    model.write_bytes(dense(16))
    for _ in range(2):
        code, out, _ = run("inspect", model, f"--html={page}")
        assert code == 0 and out.endswith(f"page: {page}\n")
    assert [p.name for p in page.parent.iterdir()] == ["a.html"]
    code, out, _ = run("inspect", model, f"--diff={model}", "--json", f"--html={page}")
    assert code == 0 and out.startswith("{") and "page:" not in out
    assert "No weights differ" in page.read_text()


@pytest.mark.parametrize("option", ["--html", "--html=", "--html=a.tflite", "--html=folder.html"])
@pytest.mark.parametrize("command", ["inspect", "benchmark"])
def test_a_place_that_cannot_hold_a_page_is_refused_first(
    run: Run, tmp_path: Path, command: str, option: str
) -> None:
    (tmp_path / "a.tflite").write_bytes(dense(16))
    (tmp_path / "folder.html").mkdir()
    code, out, err = run(command, "a.tflite", option)
    assert code == 2 and out == "" and "hint:" in err
    assert (tmp_path / "a.tflite").read_bytes() == dense(16)


def test_columns_without_a_text_are_left_out() -> None:
    table = Table(
        "t", ("a", "b", "c"), (("1", "", "2"), ("3", "", "")), frozenset({2}), unbroken=frozenset({0})
    )
    assert table.columns == ((0, "a", "mark"), (2, "c", "n"))
    assert "b</th>" not in facts_html(FactsPage("x", "y", (table, Lines("empty", ()))))
