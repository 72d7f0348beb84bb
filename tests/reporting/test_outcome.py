from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.reporting.sample import accuracy
from tflite_compress.checking.verdict import Finding
from tflite_compress.reporting.accuracy_figures import Accuracy
from tflite_compress.reporting.outcome import report_verdict
from tflite_compress.reporting.scores import intervals_in_words, what_samples_allow
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.scoring.intervals import Interval

KB = 1024


def flash(limit_kb: float, is_limited: bool, floor: str | None = None) -> Finding:
    found = Measurement("flash", 51 * KB, "bytes", "estimated", "model", 33 * KB, 87.1 * KB)
    hint = "Take another device."
    return Finding("flash", False, "51 KB", hint, found, limit_kb * KB, is_limited, floor)


def test_the_next_step_names_a_limit_that_accepts_the_file() -> None:
    found = report_verdict(accuracy(), None, (flash(20, True),), False)
    assert found.kind == "too-large" and found.reason == "flash about 51 KB of 20 KB"
    assert found.next_step == "This file is accepted with --max-flash=88KB."
    named = report_verdict(accuracy(), None, (flash(20, True),), True)
    assert named.next_step == f"Leave --recipe out to try smaller ones. {found.next_step}"


def test_the_limit_of_a_device_leads_to_smaller_recipes_or_another_device() -> None:
    found = report_verdict(accuracy(), None, (flash(32, False),), False)
    assert found.next_step == "Add --max-flash=32KB: smaller recipes are then tried."
    bound = report_verdict(accuracy(), None, (flash(32, False, "no such model fits"),), False)
    assert bound.next_step == "Take another device." and "no such model fits" in bound.reason


@pytest.mark.parametrize(("drop", "option"), [(0.0356, "0.036"), (0.25, "0.25"), (0.10001, "0.11")])
def test_an_accuracy_that_is_not_kept_names_the_drop_to_accept(drop: float, option: str) -> None:
    found = report_verdict(accuracy(drop), None, (), False)
    assert found.kind == "accuracy-not-kept" and "accepted: 1 point" in found.reason
    assert found.next_step is not None and f"--max-drop={option}," in found.next_step
    assert float(option) >= drop


def test_without_data_the_verdict_is_not_established_and_accepted() -> None:
    found = report_verdict(accuracy(is_verified=False), None, (), False)
    assert (found.kind, found.is_accepted) == ("not-established", True)
    assert "no data was given" in found.reason and "--data" in str(found.next_step)


def few_samples(drop: float = 0.0) -> Accuracy:
    """Accuracy on 16 samples."""
    evidence = accuracy(drop).evidence
    assert evidence is not None
    wide = replace(
        evidence,
        outcome="not-established",
        drop_interval=Interval(drop - 0.2, drop + 0.2),
        needed_samples=900,
    )
    return accuracy(drop, samples=16, evidence=wide)


def test_few_samples_do_not_establish_that_accuracy_is_kept() -> None:
    found = report_verdict(few_samples(), None, (), False)
    assert (found.kind, found.is_accepted) == ("not-established", True)
    assert found.reason == (
        "top1 97 %, unchanged; 16 samples: one changed answer is 6.25 points; about 900 samples are needed "
        "to see a drop of 1 point"
    )
    assert found.next_step is not None and "--max-drop=0.2." in found.next_step


def test_strict_accepts_only_what_is_established() -> None:
    assert not report_verdict(few_samples(), None, (), False, is_strict=True).is_accepted
    assert report_verdict(accuracy(), None, (), False, is_strict=True).is_accepted


def test_a_measured_drop_beyond_the_accepted_one_is_not_accepted_though_not_established() -> None:
    found = report_verdict(few_samples(0.0625), None, (), False)
    assert (found.kind, found.is_accepted) == ("not-established", False)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"drop_interval": None}, "16 samples give no interval of the drop"),
        ({"changed_samples": None}, "16 samples: the drop is between -20 and 20 points; about 900"),
        ({"needed_samples": 16}, "the drop is too close to the accepted one for so many samples"),
        ({"needed_samples": None}, "16 samples: one changed answer is 6.25 points"),
    ],
)
def test_the_reason_says_what_the_samples_allow(changes: dict[str, Any], text: str) -> None:
    found = few_samples()
    assert found.evidence is not None
    assert text in what_samples_allow(replace(found, evidence=replace(found.evidence, **changes)))


def test_the_intervals_and_the_correction_are_named() -> None:
    found = accuracy()
    assert found.evidence is not None
    text = intervals_in_words(replace(found, evidence=replace(found.evidence, candidates=3)))
    assert text == (
        "95 % interval 95.8 % to 97.6 %; 95 % interval of the drop -0.2 to 0.6 points (paired comparison, "
        "Bonferroni correction for 3 candidates)"
    )


@pytest.mark.parametrize("has_bundle", [True, False])
def test_the_next_step_names_the_bundle_where_there_is_one(has_bundle: bool) -> None:
    found = report_verdict(accuracy(), None, (), False, has_bundle)
    assert found.kind == "ready" and ("bundle/README.md" in (found.next_step or "")) == has_bundle
