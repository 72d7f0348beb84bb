"""Check a file against a device: all findings, in a fixed order."""

from __future__ import annotations

from tflite_compress.checking import device_findings, model_findings
from tflite_compress.checking.edgetpu_findings import check_edgetpu
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.operator_findings import check_operators
from tflite_compress.checking.verdict import NO_LIMITS, Finding, Limits, Verdict
from tflite_compress.profiles.devices import Device


def check(
    evidence: Evidence, device: Device, limits: Limits = NO_LIMITS, sizes: str | None = None
) -> Verdict:
    """Check a file against a device.

    Args:
        evidence: The file and the results of the runtimes.
        device: The device's profile.
        limits: The user's limits, in addition to the device's own.
        sizes: How open dimensions of the file were fixed for the evidence, in words; None if none were.

    Returns:
        The verdict with one or more findings per subject.
    """
    contents = evidence.contents
    evidence.run_together(device)
    findings = [
        *_check_operators_and_types(evidence, device),
        *model_findings.check_page_types(evidence.tree, device),
        *model_findings.check_shapes(contents, device, sizes),
        *model_findings.check_quantization(contents, device),
        *device_findings.check_npu(evidence, device),
        *device_findings.check_execution(evidence, device),
        *device_findings.check_flash(contents, device, limits),
        *device_findings.check_ram(evidence, device, limits),
        *device_findings.check_latency(evidence, device, limits),
    ]
    return Verdict(device, tuple(findings), evidence.gpu_plan(device))


def _check_operators_and_types(evidence: Evidence, device: Device) -> list[Finding]:
    if device.runtime.name == "edgetpu":
        return check_edgetpu(evidence, device)
    return [*check_operators(evidence, device), *model_findings.check_types(evidence.contents, device)]
