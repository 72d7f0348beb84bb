"""The worst output decides about the accuracy of a model with several outputs."""

from __future__ import annotations

import numpy as np

from tests.reporting.sample import sample_report
from tests.scoring.test_reference import Maps
from tflite_compress.data.samples import Samples
from tflite_compress.data.split import Splits
from tflite_compress.models.network import TensorSpec
from tflite_compress.reporting.accuracy_facts import accuracy_facts
from tflite_compress.reporting.sections.summary_section import summary_rows
from tflite_compress.scoring.drop_evidence import DropRule
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
