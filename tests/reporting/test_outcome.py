from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.reporting.sample import accuracy
from tflite_compress.checking.verdict import Finding
from tflite_compress.reporting.outcome import report_verdict
from tflite_compress.reporting.scores import score_interval
from tflite_compress.runtimes.run_result import Measurement

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


def test_the_interval_of_a_score() -> None:
    low, high = score_interval(accuracy()) or (0.0, 0.0)
    assert low == pytest.approx(0.9576, abs=1e-4) and high == pytest.approx(0.9759, abs=1e-4)
    metric = replace(accuracy().metric, is_share=False)
    assert score_interval(accuracy(metric=metric)) is None


@pytest.mark.parametrize("has_bundle", [True, False])
def test_the_next_step_names_the_bundle_where_there_is_one(has_bundle: bool) -> None:
    found = report_verdict(accuracy(), None, (), False, has_bundle)
    assert found.kind == "ready" and ("bundle/README.md" in (found.next_step or "")) == has_bundle
