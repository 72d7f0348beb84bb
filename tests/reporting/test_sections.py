from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.reporting.sample import MANIFEST, accuracy, sample_report
from tests.reporting.test_result_notes import ENCODING
from tflite_compress.reporting import sections
from tflite_compress.reporting.figures import EncodingChoice, Forecast, LevelCost, Memory
from tflite_compress.reporting.outcome import gpu_findings, report_verdict
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections import all_sections, encoding_section, verdict_section
from tflite_compress.reporting.sections.gpu_section import to_terminal
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register, render_sections
from tflite_compress.reporting.sections.summary_section import summary_rows
from tflite_compress.reporting.sections.time_section import time_rows
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.scoring.gpu_score import GpuCheck, GpuOutput, GpuScore

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
    assert "RAM" in text and "20 KB" in text and "estimated" in text


@pytest.mark.parametrize("medium", ["html", "markdown", "terminal"])
def test_steps_of_the_run_are_timed_in_every_medium(medium: str) -> None:
    steps = {"reading the data": 0.01, "fine-tuning": 5.0, "converting to int8": 2.0}
    found = Recorded(Path("out"), sample_report(steps=steps), "digits.keras", MANIFEST)
    text = "\n".join(render_sections(all_sections(), medium, found))
    assert "fine-tuning" in text and "5.0 s" in text and "converting to int8" in text
    if medium == "terminal":
        assert "slowest steps: fine-tuning 5.0 s; converting to int8 2.0 s" in text
    else:
        assert "67%" in text and "The run took 7.5 s." in text


def test_short_steps_and_the_rest_of_the_time_are_one_row() -> None:
    steps = {"reading the data": 0.01, "fine-tuning": 5.0, "converting to int8": 2.0}
    assert time_rows(sample_report(steps=steps)) == [
        ("fine-tuning", 5.0),
        ("converting to int8", 2.0),
        ("everything else", 0.5),
    ]
    assert time_rows(sample_report()) == [("load", 5.0), ("passes", 2.5)]  # of an earlier version


@pytest.mark.parametrize("is_encoded", [True, False])
@pytest.mark.parametrize("medium", ["html", "markdown", "terminal"])
def test_both_choices_of_encoding_are_in_every_medium(medium: str, is_encoded: bool) -> None:
    choice = EncodingChoice(encoding=ENCODING, is_encoded=is_encoded)
    found = Recorded(Path("out"), sample_report(encoding_choice=choice), "digits.keras", MANIFEST)
    text = "\n".join(render_sections(all_sections(), medium, found))
    for figure in ("39.1 KB", "32.6 KB", "100 bytes", "120 bytes", "1.00x", "1.50x", "encoded (2 lut)"):
        assert figure in text
    rows = encoding_section.encoding_rows(found)
    assert [row[-1] for row in rows] == (["", "chosen"] if is_encoded else ["chosen", ""])
    assert encoding_section.to_terminal(FOUND) is None


def test_the_output_that_decides_is_named() -> None:
    several = accuracy(drop=0.3, deciding_output="onset")
    report = sample_report(accuracy=several)
    row = next(row for row in summary_rows(report) if "Accuracy" in row.name)
    assert row.source.startswith("top1, output 'onset', measured on 1,450 samples; 95 % interval")
    assert row.change == "-30 points"


def test_the_verdict_has_its_reason_and_the_next_step_in_every_medium() -> None:
    assert verdict_section.to_terminal(FOUND) == "✓ ready: top1 97 % → 96.8 % (-0.2 points)\nnext: Deploy it."
    for medium in ("html", "markdown", "terminal"):
        text = "\n".join(render_sections(all_sections(), medium, FOUND))
        assert "ready" in text and "(-0.2 points)" in text and "Deploy it." in text


def test_names_and_places_are_unique() -> None:
    nothing = NotShown("nothing to show")
    with pytest.raises(ValueError, match="registered twice"):
        register(Section("fit", 999, nothing, nothing, nothing))


def test_a_change_too_small_to_show_is_neither_better_nor_worse() -> None:
    before, after = (Measurement("RAM", value, "bytes", "measured", "here") for value in (44.30e6, 44.38e6))
    rows = summary_rows(sample_report(memory=Memory(baseline=before, result=after)))
    (ram,) = [row for row in rows if row.name.startswith("RAM")]
    assert ram.change == "unchanged" and ram.is_better is None


def test_the_forecast_is_compared_with_the_result_in_every_medium() -> None:
    asked, used = (
        LevelCost(level=level, untrained_drop=2 * drop, estimated_drop=drop)
        for level, drop in ((0.8, 0.041), (0.58, 0.0096))
    )
    found = Forecast(setting="sparsity", asked=asked, used=used, measured_drop=0.005, scanned=(used, asked))
    result = Recorded(Path("out"), sample_report(forecast=found), "digits.keras", MANIFEST)
    for medium in ("html", "markdown", "terminal"):
        text = "\n".join(render_sections(all_sections(), medium, result))
        assert (
            "sparsity 0.58: accuracy drop estimated before training 0.96 points, measured 0.5 points" in text
        )
        assert "0.8 was asked for, estimated 4.1 points" in text
    assert "Forecast" not in "\n".join(render_sections(all_sections(), "terminal", FOUND))


def gpu_score(**changes: Any) -> GpuScore:
    output = GpuOutput(
        metric="top1", accuracy=0.9, drop=0.01, max_difference=0.004, largest=1.0, faulty_samples=0
    )
    found = GpuScore(
        adapter="llvmpipe",
        accelerator="ai-edge-litert 2.3.0",
        samples=20,
        is_whole=True,
        operators_on_cpu=0,
        drop=0.01,
        by_output={"digit": output},
        layers=(),
    )
    return msgspec.structs.replace(found, **changes)


def test_accuracy_on_the_gpu_is_in_every_medium() -> None:
    report = sample_report(gpu=GpuCheck(score=gpu_score()))
    found = Recorded(Path("out"), report, "digits.keras", MANIFEST)
    for medium in ("html", "markdown", "terminal"):
        text = "\n".join(render_sections(all_sections(), medium, found)).lower()
        assert "top1 90 % on 20" in text and "simulated by" in text and "llvmpipe" in text, medium
    assert "gpu" not in (to_terminal(FOUND) or "")


def test_without_data_no_accuracy_is_shown_for_the_gpu() -> None:
    report = sample_report(accuracy=accuracy(is_verified=False), gpu=GpuCheck(score=gpu_score()))
    text = to_terminal(Recorded(Path("out"), report, "d", MANIFEST)) or ""
    assert "top1" not in text and "differ from the CPU's by at most 0.004 on 20 random inputs" in text


def test_what_was_not_measured_on_the_gpu_is_said() -> None:
    report = sample_report(gpu=GpuCheck(not_measured="the driver is not set up. Run 'x' once."))
    found = Recorded(Path("out"), report, "digits.keras", MANIFEST)
    assert to_terminal(found) == "GPU, float16: not measured: the driver is not set up. Run 'x' once."


def test_nan_on_the_gpu_decides_the_verdict() -> None:
    output = msgspec.structs.replace(gpu_score().by_output["digit"], faulty_samples=3)
    score = gpu_score(by_output={"digit": output}, layers=("conv_1",))
    report = sample_report(gpu=GpuCheck(score=score))
    told = (
        "output 'digit' is NaN, infinite or beyond 65,504 in 3 of 20 samples; layers beyond the range: conv_1"
    )
    (finding,) = gpu_findings(report.accuracy, report.gpu)
    assert finding.fits is False and told in finding.text
    assert report_verdict(report.accuracy, report.gpu, (), False).kind == "accuracy-not-kept"
    assert "failed: on the gpu" in (to_terminal(Recorded(Path("out"), report, "d", MANIFEST)) or "").lower()
    small = sample_report(gpu=GpuCheck(score=gpu_score(drop=0.5)))
    (finding,) = gpu_findings(small.accuracy, small.gpu)
    assert "in float16 on the GPU, the accuracy drop is 50 points; accepted: 1 point" in finding.text
    assert "--max-drop=0.5," in (finding.hint or "")
