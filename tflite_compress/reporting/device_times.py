"""Take times that a device printed into the report of a result folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from tflite_compress.checking.device_findings import judge_latency
from tflite_compress.reporting.figures import Fit
from tflite_compress.reporting.model import encode_report
from tflite_compress.reporting.pages import result_documents
from tflite_compress.reporting.recorded import Recorded, read_results
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.support.errors import UsageError
from tflite_compress.support.staging import replace_file
from tflite_compress.timing.benchmark import Benchmark
from tflite_compress.timing.remote import DeviceTiming


def add_device_times(folder: str | Path, times: Benchmark) -> Measurement:
    """Write a device's latency into ``report.json`` and the pages of a result.

    Args:
        folder: A result folder of one device.
        times: What the device printed. The first timing of a file in the folder counts: its first choice of
            accelerators.

    Returns:
        The latency, with its source.

    Raises:
        UsageError: There is no result in the folder, or the device ran another file.
        OutputError: The report cannot be written.
    """
    top = Path(folder)
    found = read_results(top)
    if len(found) > 1:
        names = ", ".join(result.folder.name for result in found[:4])
        raise UsageError(f"{top}: holds several results", f"Name the folder of one: {names}.")
    result = found[0]
    timing = _find_timing(result, times)
    median = timing.median_ms
    source = f"{timing.name}, on {times.where}"
    latency = Measurement("latency", median.value, "ms", "measured", source, median.low, median.high)
    report = msgspec.structs.replace(
        result.report, device_latency=latency, fit=_with_latency(result.report.fit, latency)
    )
    changed = Recorded(result.folder, report, result.model, result.manifest)
    replace_file(result.folder / "report.json", encode_report(report))
    for name, content in result_documents(changed).items():
        replace_file(result.folder / name, content)
    return latency


def _with_latency(fit: Fit, latency: Measurement) -> Fit:
    """Return what was checked with the measured latency in place of one that was unknown or estimated."""
    findings = tuple(
        judge_latency(latency, finding.limit, finding.is_limited) if finding.subject == "latency" else finding
        for finding in fit.findings
    )
    return Fit(fits=not any(finding.is_blocking for finding in findings), findings=findings)


def _find_timing(result: Recorded, times: Benchmark) -> DeviceTiming:
    """Return the first timing of a file in the folder; bundles hold the file with metadata."""
    files = result.folder.rglob("*.tflite")
    known = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    for timing in times.on_device:
        if timing.sha256 in known:
            return timing
    ran = ", ".join(timing.name for timing in times.on_device)
    raise UsageError(
        f"the device ran another file than those in {result.folder} ({ran})",
        "Put the bundle of this folder into the app and measure it again.",
    )
