from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from tests.reporting.sample import MANIFEST, accuracy, sample_report
from tflite_compress.checking.verdict import Finding
from tflite_compress.reporting.figures import Fit
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.usage_section import facts, gauges
from tflite_compress.runtimes.run_result import Measurement

KB = 1024


def board(fits: bool | None) -> Report:
    flash = Measurement("flash", 69 * KB, "bytes", "estimated", "model", 50 * KB, 105 * KB)
    ram = Measurement("RAM", 11 * KB, "bytes", "measured", "arena")
    findings = (
        Finding("flash", fits, "", None, flash, 138 * KB),
        Finding("RAM", True, "", None, ram),
    )
    return sample_report(fit=Fit(fits=fits is not False, findings=findings))


def test_a_microcontroller_shows_flash_ram_and_latency() -> None:
    flash, ram, latency = gauges(board(True))
    assert (flash.name, flash.value, flash.limit) == ("Flash", "about 69 KB", "50 % of 138 KB")
    assert flash.share == 0.5 and flash.state == "within"
    assert (ram.value, ram.limit, ram.share) == ("11 KB", None, None)
    assert latency.name == "Latency here, not on the device" and latency.value == "8 µs"
    assert [gauges(board(fits))[0].state for fits in (False, None)] == ["over", "unsure"]


def test_other_devices_show_file_latency_and_accuracy() -> None:
    report = sample_report(accuracy=accuracy(0.005))
    report = replace(report, device=replace(report.device, kind="phone"))
    file, _, found = gauges(report)
    assert (file.value, file.limit) == ("32.6 KB", "float32: 105 KB")
    assert (found.value, found.share, found.state) == ("96.5 %", 0.5, "within")
    assert found.limit == "drop 0.5 points of the accepted 1 point"
    lost = replace(report, accuracy=accuracy(0.05))
    assert gauges(lost)[2].state == "over"
    assert len(gauges(replace(report, accuracy=accuracy(is_verified=False)))) == 2


def test_the_facts_name_model_recipe_and_date() -> None:
    text = facts(Recorded(Path("out"), sample_report(), "digits.keras", MANIFEST))
    assert text.startswith("Model digits, keras; 27,000 parameters; 1,000 MACs; recipe int8.")
    assert text.endswith("Made 2026-11-28 02:15 UTC.")
