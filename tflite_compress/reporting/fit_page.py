"""The page of ``check``: one row per device, and the findings of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tflite_compress.checking.device_verdict import mark_of
from tflite_compress.checking.verdict import Verdict
from tflite_compress.reporting.facts_page import Card, Cards, FactsPage, Table
from tflite_compress.reporting.fit_table import FIGURES, KINDS, short_figure
from tflite_compress.reporting.wording import YES_NO


def verdicts_page(model: str, verdicts: Sequence[Verdict]) -> FactsPage:
    """Show the verdict of each device, with its reason, the next step and every finding.

    Args:
        model: The file that was checked.
        verdicts: One per device.
    """
    counts = Counter(verdict.outcome.words for verdict in verdicts)
    several = f"{len(verdicts)} devices: " if len(verdicts) > 1 else ""
    summary = several + ", ".join(f"{count} {words}" for words, count in counts.most_common())
    cards = Cards(tuple(Card(words, str(count)) for words, count in counts.most_common()))
    return FactsPage(
        f"{Path(model).name} on {verdicts[0].device.title if len(verdicts) == 1 else 'devices'}",
        f"Checked {model}. {summary}.",
        (
            *((cards,) if len(verdicts) > 1 else ()),
            Table(
                "Devices",
                ("device", "verdict", *FIGURES, "reason", "next step"),
                tuple(map(_row, verdicts)),
                frozenset({2, 3, 4}),
                lead=KINDS,
                unbroken=frozenset({0, 1}),
            ),
            *map(_findings, verdicts),
        ),
    )


def _row(verdict: Verdict) -> tuple[str, ...]:
    outcome = verdict.outcome
    figures = (short_figure(verdict.measurement(name)) for name in FIGURES)
    words = f"{mark_of(outcome.kind)} {outcome.words}"
    return verdict.device.name, words, *figures, outcome.reason, outcome.next_step or ""


def _findings(verdict: Verdict) -> Table:
    rows = tuple(
        (found.subject, YES_NO[found.fits], found.text, (found.hint or "") if found.fits is not True else "")
        for found in verdict.findings
    )
    title = f"{verdict.device.title} ({verdict.device.name})"
    return Table(title, ("checked", "fits", "found", "what to do"), rows, unbroken=frozenset({0, 1}))
