"""The worst output decides about the accuracy of a model with several outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.reporting.sample import MANIFEST, sample_report
from tests.reporting.test_sections import gpu_score
from tests.scoring.test_reference import Maps
from tflite_compress.data.samples import Samples
from tflite_compress.data.split import Splits
from tflite_compress.models.network import TensorSpec
from tflite_compress.reporting.accuracy_facts import accuracy_facts
from tflite_compress.reporting.outcome import gpu_findings, report_verdict
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.gpu_section import to_terminal
from tflite_compress.reporting.sections.summary_section import summary_rows
from tflite_compress.scoring.drop_evidence import DropRule
from tflite_compress.scoring.gpu_score import GpuCheck
from tflite_compress.scoring.reference import Reference, make_reference


def two_outputs() -> Reference:
    """A network with two outputs of two classes, and 400 samples."""
    probabilities = np.eye(2, dtype=np.float32)[np.arange(400) % 2]
    samples = Samples((probabilities, probabilities), None, "s")
    ports = tuple(TensorSpec(name, (None, 2), "float32") for name in ("kind", "side"))
    network = Maps("two", None, ports, ports)
    return make_reference(network, Splits(samples, samples, samples), None, None, None)


def flipped(output: np.ndarray, count: int) -> np.ndarray:
    """Return an output of which the first answers are wrong."""
    return np.concatenate([1 - output[:count], output[count:]])


def test_the_output_with_the_worst_outcome_decides() -> None:
    reference = two_outputs()
    kind, side = reference.evaluation_outputs
    found = accuracy_facts(reference, (kind, flipped(side, 2)), DropRule(0.01), True)
    outcomes = {name: one.evidence.outcome for name, one in found.by_output.items() if one.evidence}
    assert outcomes == {"kind": "kept", "side": "not-established"}
    assert (found.deciding_output, found.outcome) == ("side", "not-established")
    worse = accuracy_facts(reference, (flipped(kind, 40), flipped(side, 2)), DropRule(0.01), True)
    assert (worse.deciding_output, worse.outcome) == ("kind", "not-kept")


def test_each_output_is_shown_with_its_outcome() -> None:
    reference = two_outputs()
    kind, side = reference.evaluation_outputs
    found = accuracy_facts(reference, (kind, flipped(side, 2)), DropRule(0.01), True)
    rows = {row.name: row for row in summary_rows(sample_report(accuracy=found))}
    assert rows["Output 'kind'"].source.endswith("; kept") and rows["Output 'kind'"].change == "unchanged"
    assert rows["Output 'side'"].source.endswith("; not established")
    assert rows["Output 'side'"].change == rows["Accuracy"].change == "-0.5 points"


def test_without_data_there_is_no_evidence() -> None:
    reference = two_outputs()
    found = accuracy_facts(reference, reference.evaluation_outputs, DropRule(0.01), False)
    assert found.outcome is None and found.evidence is None


@pytest.mark.parametrize(
    ("wrong", "outcome", "blocks", "blocks_strictly"),
    [(0, "kept", False, False), (2, "not-established", False, True), (40, "not-kept", True, True)],
)
def test_the_accuracy_on_the_gpu_is_judged_by_its_interval(
    wrong: int, outcome: str, blocks: bool, blocks_strictly: bool
) -> None:
    """As on the CPU: the measured drop decides, with --strict what the samples establish."""
    reference = two_outputs()
    kind, side = reference.evaluation_outputs
    rule, check = DropRule(0.01), GpuCheck(score=gpu_score(drop=wrong / 400))
    on_cpu = accuracy_facts(reference, (kind, side), rule, True)
    on_gpu = accuracy_facts(reference, (flipped(kind, wrong), side), rule, True)
    assert on_gpu.outcome == outcome
    findings = gpu_findings(on_cpu, check, on_gpu)
    assert len(findings) == (outcome != "kept")
    assert all(found.text.startswith("in float16 on the GPU, ") for found in findings)
    for strict, expected in ((False, blocks), (True, blocks_strictly)):
        verdict = report_verdict(on_cpu, check, (), False, is_strict=strict, on_gpu=on_gpu)
        assert verdict.is_accepted != expected
    report = sample_report(accuracy=on_cpu, gpu=check, gpu_accuracy=on_gpu)
    text = to_terminal(Recorded(Path("out"), report, "d", MANIFEST)) or ""
    assert "95 % interval of the drop" in text and outcome.replace("-", " ") in text


def test_what_the_cpu_does_not_establish_is_said_once() -> None:
    reference = two_outputs()
    kind, side = reference.evaluation_outputs
    unsure = accuracy_facts(reference, (flipped(kind, 2), side), DropRule(0.01), True)
    check = GpuCheck(score=gpu_score(drop=0.005))
    assert gpu_findings(unsure, check, unsure) == []
    assert len(gpu_findings(unsure, check, unsure, is_strict=True)) == 1
