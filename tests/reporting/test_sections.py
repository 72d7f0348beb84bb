from __future__ import annotations

from pathlib import Path

import pytest

from tests.reporting.sample import MANIFEST, accuracy, sample_report
from tflite_compress.reporting import sections
from tflite_compress.reporting.figures import Memory
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections import all_sections
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register, render_sections
from tflite_compress.reporting.sections.summary_section import summary_rows
from tflite_compress.reporting.sections.verdict_section import verdict_detail
from tflite_compress.runtimes.run_result import Measurement

FOUND = Recorded(Path("out"), sample_report(), "digits.keras", MANIFEST)


def test_every_module_registers_one_section() -> None:
    modules = {p.stem for p in Path(sections.__file__).parent.glob("*_section.py")}
    assert len(all_sections()) == len(modules) > 10
    orders = [section.order for section in all_sections()]
    assert orders == sorted(set(orders))


def test_no_section_is_missing_in_a_medium_without_a_reason() -> None:
    for section in all_sections():
        for renderer in (section.to_html, section.to_markdown, section.to_terminal):
            assert callable(renderer) or len(renderer.reason) > 10


@pytest.mark.parametrize("medium", ["html", "markdown", "terminal"])
def test_memory_is_in_every_medium(medium: str) -> None:
    text = "\n".join(render_sections(all_sections(), medium, FOUND))
    assert "RAM" in text and "20,480" in text and "estimated" in text


def test_the_output_that_decides_is_named() -> None:
    several = accuracy(drop=0.3, deciding_output="onset")
    report = sample_report(accuracy=several)
    row = next(row for row in summary_rows(report) if "Accuracy" in row.name)
    assert row.name == "Accuracy (top1, output 'onset')" and row.change == "-30.00 points"
    assert "top1, output 'onset'" in verdict_detail(report) and "worst of" in verdict_detail(report)
    assert "worst of" not in verdict_detail(sample_report())


def test_names_and_places_are_unique() -> None:
    nothing = NotShown("nothing to show")
    with pytest.raises(ValueError, match="registered twice"):
        register(Section("fit", 999, nothing, nothing, nothing))


def test_a_change_too_small_to_show_is_neither_better_nor_worse() -> None:
    before, after = (Measurement("RAM", value, "bytes", "measured", "here") for value in (44.30e6, 44.38e6))
    rows = summary_rows(sample_report(memory=Memory(baseline=before, result=after)))
    (ram,) = [row for row in rows if row.name.startswith("RAM")]
    assert ram.change == "unchanged" and ram.is_better is None
