from __future__ import annotations

import pytest

from tflite_compress.checking.device_verdict import decide, mark_of
from tflite_compress.checking.verdict import Finding
from tflite_compress.runtimes.run_result import Measurement

KB = 1024


def sized(subject: str, kilobytes: float, limit: float | None, fits: bool | None, **more: object) -> Finding:
    figure = Measurement(subject, kilobytes * KB, "bytes", "measured", "the file")
    return Finding(subject, fits, "text", "Do this.", figure, None if limit is None else limit * KB, **more)  # type: ignore[arg-type]


FITS = (Finding("runs", True, "in LiteRT"), sized("flash", 10, 20, True), sized("RAM", 3, 8, True))
KEPT = Finding("accuracy", True, "top1 93.6 %, unchanged on 450 samples")
LOST = Finding("accuracy", False, "top1 93.6 % → 80 %", "Accept it.")
NO_OPERATOR = Finding("operators", False, "TFLite Micro has no GELU: layer a", "use activation 'relu'")
TOO_LARGE = sized("flash", 69, 20, False, floor="the runtime alone takes about 36 KB, so no model fits")


def test_ready_names_what_it_rests_on() -> None:
    found = decide((*FITS, KEPT), "Deploy it.")
    assert (found.kind, found.is_accepted, found.next_step) == ("ready", True, "Deploy it.")
    assert found.reason == "flash 10 KB of 20 KB; RAM 3 KB of 8 KB; top1 93.6 %, unchanged on 450 samples"
    assert decide(FITS).reason.endswith("; accuracy not checked")


@pytest.mark.parametrize(
    ("finding", "kind", "reason", "step"),
    [
        (LOST, "accuracy-not-kept", "top1 93.6 % → 80 %", "Accept it."),
        (
            TOO_LARGE,
            "too-large",
            "flash 69 KB of 20 KB; the runtime alone takes about 36 KB, so no model fits",
            "Do this.",
        ),
        (NO_OPERATOR, "cannot-run", "TFLite Micro has no GELU: layer a", "use activation 'relu'"),
        (Finding("latency", False, "", "Hurry."), "too-slow", "", "Hurry."),
    ],
)
def test_a_failure_states_reason_and_next_step(finding: Finding, kind: str, reason: str, step: str) -> None:
    found = decide((KEPT, *FITS, finding))
    assert (found.kind, found.is_accepted, found.reason, found.next_step) == (kind, False, reason, step)
    assert mark_of(found.kind) == "✗"


def test_the_most_serious_failure_comes_first_and_the_others_are_named() -> None:
    found = decide((LOST, TOO_LARGE, NO_OPERATOR))
    assert found.kind == "cannot-run" and found.next_step == "use activation 'relu'"
    assert "; also top1 93.6 % → 80 %; flash 69 KB of 20 KB" in found.reason


def test_what_is_unknown_is_not_established() -> None:
    unmeasured = Finding("accuracy", None, "accuracy unknown", "Give data.")
    within = sized("RAM", 8, 8, None)
    for finding in (unmeasured, within, Finding("runs", None, "not tried: needs a TPU")):
        found = decide((*FITS, finding))
        assert (found.kind, found.is_accepted) == ("not-established", True), finding
        assert mark_of(found.kind) == "?"
    limited = decide((*FITS, Finding("latency", None, "unknown", "Measure it.", is_limited=True)))
    assert (limited.kind, limited.is_accepted, limited.next_step) == ("not-established", False, "Measure it.")


def test_notes_leave_a_file_ready() -> None:
    notes = (Finding("operators", None, "GELU runs on the CPU"), Finding("latency", None, "unknown"))
    assert decide((*FITS, KEPT, *notes)).kind == "ready"
