"""The page in a real browser: it loads, draws, and is accessible, for every kind of result."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.conftest import Run
from tests.needs import slow, tool
from tests.reporting.example_pages import example_pages
from tests.reporting.layout import layout_faults, print_faults
from tests.reporting.sample import LOST
from tflite_compress.reporting.facts_page import facts_html
from tflite_compress.reporting.figures import Memory
from tflite_compress.reporting.model import decode_report, encode_report
from tflite_compress.reporting.outcome import report_verdict
from tflite_compress.reporting.page import comparison_page, result_page
from tflite_compress.reporting.recorded import Recorded, read_results
from tflite_compress.support.notes import Note


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = tool("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=quiet)
        yield browser
        browser.close()


def opened(browser: Any, file: Path, width: int, scheme: str) -> tuple[Any, list[str]]:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if _outside(request.url) else None)
    page.goto(file.as_uri())
    return page, complaints


def _outside(url: str) -> bool:
    return not url.startswith(("file:", "data:"))


@pytest.mark.parametrize(
    ("device", "width", "scheme"),
    [
        ("arduino-nano-33-ble", 1400, "light"),
        ("android-gpu", 390, "dark"),
        ("raspberry-pi-4", 390, "dark"),
        slow("arduino-nano-33-ble", 390, "dark"),
        slow("android-gpu", 1400, "light"),
        slow("raspberry-pi-4", 1400, "light"),
    ],
)
def test_a_results_page(browser: Any, compressed: Path, device: str, width: int, scheme: str) -> None:
    page, complaints = opened(browser, compressed / device / "report.html", width, scheme)
    assert complaints == []
    assert page.inner_text(".verdict").startswith("✓ ready") and "Next:" in page.inner_text(".verdict")
    assert len(page.query_selector_all(".gauge")) == 3
    page.click(".copy >> nth=0")
    page.wait_for_selector(".copy:text-is('Copied')")
    assert complaints == []
    plots = page.query_selector_all("svg.plot")
    assert len(plots) == (8 if device != "android-gpu" else 2)  # histograms where there are integers
    assert all(plot.bounding_box()["height"] > 100 for plot in plots)
    assert layout_faults(page) == [] and print_faults(page) == []
    headings = page.eval_on_selector_all("main > h2", "all => all.map(h => h.innerText)")
    assert "Time by operator" in headings and "Bytes of weights by layer" in headings
    assert len(page.query_selector_all(".images img")) == 8
    assert len(page.query_selector_all(".matrix tbody tr")) == 10
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert violations(page) == []


def violations(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    # axe is run from outside the page, whose own policy allows no scripts.
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found]


def test_several_results_on_one_page(browser: Any, run: Run, compressed: Path, tmp_path: Path) -> None:
    code, out, _ = run("report", compressed, f"--html={tmp_path / 'all.html'}")
    assert code == 0 and "4 results" in out
    for width, scheme in ((1400, "dark"), (390, "light")):
        page, complaints = opened(browser, tmp_path / "all.html", width, scheme)
        assert complaints == [] and len(page.query_selector_all("tbody tr")) == 4
        assert len(page.query_selector_all("svg.plot")) == 1
        assert layout_faults(page) == [] and print_faults(page) == []
        assert violations(page) == []


BROKEN = """<!doctype html>
<body style="margin: 0"><main><h2>Nothing</h2><h2>Plot</h2>
<svg class="plot" aria-label="no points" width="100" height="50"><text x="80" y="20">outside</text></svg>
<p style="position: absolute; top: 300px">over</p><p style="position: absolute; top: 305px">under</p>
<div style="width: 900px">wide<table><tbody></tbody></table></div>
<div style="height: 20px; overflow: auto"><p>first</p><p>hidden below</p></div><p>seen</p>
</main></body>
"""


def test_faults_of_a_layout_are_found(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.html").write_text(BROKEN)
    page, _ = opened(browser, tmp_path / "broken.html", 390, "light")
    assert layout_faults(page) == [
        "page is 900 px wide",
        "cut by its drawing: outside",
        "overlap: over | under",
        "empty plot: no points",
        "empty table",
        "empty section: Nothing",
    ]


def hostile(found: Recorded) -> Recorded:
    """The same result with names that would be code, were they not escaped."""
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
    text = encode_report(found.report).decode().replace("conv_2", json.dumps(evil)[1:-1])
    report = replace(decode_report(text), notes=(Note("x", evil),), command=evil)
    return Recorded(found.folder, report, evil, found.manifest)


def test_names_from_a_model_are_never_code(browser: Any, compressed: Path, tmp_path: Path) -> None:
    (found,) = read_results(compressed / "raspberry-pi-4")
    for text in (result_page(hostile(found)), comparison_page([hostile(found)] * 2)):
        (tmp_path / "page.html").write_text(text)
        page, complaints = opened(browser, tmp_path / "page.html", 800, "light")
        assert complaints == [] and len(page.query_selector_all("script")) == 1
        assert page.query_selector("img[src=x]") is None


def test_the_page_is_drawn_again_from_what_lies_there(run: Run, compressed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    shutil.copytree(compressed / "raspberry-pi-4", folder)
    (folder / "report.html").unlink()
    assert run("report", folder, f"--html={tmp_path / 'again.html'}")[0] == 0
    assert (tmp_path / "again.html").read_text() == (compressed / "raspberry-pi-4/report.html").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.html", "one"]


def test_the_page_of_a_failed_and_of_an_unverified_result(compressed: Path) -> None:
    (found,) = read_results(compressed / "raspberry-pi-4")
    bare = replace(found.report, details=None, memory=Memory(), command=None)

    def page(**changes: Any) -> str:
        return result_page(Recorded(found.folder, replace(bare, **changes), "m.keras", {}))

    failed = page(verdict=LOST)
    assert "accuracy not kept" in failed and 'class="verdict accuracy-not-kept"' in failed
    unmeasured = replace(bare.accuracy, is_verified=False)
    unknown = page(verdict=report_verdict(unmeasured, None, (), False), accuracy=unmeasured)
    assert "no data was given" in unknown and "<h2>Accuracy</h2>" not in unknown


@pytest.mark.slow
def test_a_page_that_cannot_be_written(run: Run, compressed: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    for place in (tmp_path / "taken", "/proc/nowhere/page.html"):
        code, _, err = run("report", compressed, f"--html={place}")
        assert code == 2 and "cannot be written" in err
    assert run("report", compressed, "--html")[0] == 2


@pytest.mark.slow
def test_pages_of_single_commands(browser: Any, tmp_path: Path) -> None:
    for name, content in example_pages(tmp_path).items():
        (tmp_path / f"{name}.html").write_text(facts_html(content))
        for width, scheme in ((1400, "light"), (390, "dark")):
            page, complaints = opened(browser, tmp_path / f"{name}.html", width, scheme)
            assert complaints == [], name
            assert layout_faults(page) == [] and print_faults(page) == [], name
            assert page.query_selector("img[src=x]") is None and len(page.query_selector_all("table")) > 0
            if name == "search":
                texts_of_points(page)
            assert violations(page) == [], name


def texts_of_points(page: Any) -> None:
    """Pointing at a point or focusing it shows what it is; it leads to its folder."""
    point, tip = page.locator("a.value").last, page.locator(".tip")
    assert point.get_attribute("href") == "found/points/01/" and not tip.is_visible()
    point.hover()
    assert tip.is_visible() and "size 2.29 KB" in tip.text_content()
    page.mouse.move(0, 0)
    assert not tip.is_visible()
    point.focus()
    assert tip.is_visible()
