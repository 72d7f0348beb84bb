"""The result of a search: the Pareto front as files, a table and a plot, and the chosen point."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from tflite_compress.reporting.model import decode_report
from tflite_compress.searching.engine import Slot
from tflite_compress.searching.job import Setup, latency_of
from tflite_compress.searching.records import Check, Files, FrontPoint, SearchRecord, TrialRecord
from tflite_compress.searching.sensitivity import as_json
from tflite_compress.searching.space import Space
from tflite_compress.searching.stages import Candidate, Goal, choose_point, pareto_front
from tflite_compress.searching.study import Study
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note, note_record
from tflite_compress.support.progress import Progress
from tflite_compress.support.staging import MANIFEST, write_file

SCHEMA = 1


@dataclass(frozen=True, repr=False)
class SearchResult:
    """The result of a search.

    Attributes:
        folder: Folder of the result.
        record: Content of ``search.json``.
    """

    folder: Path
    record: SearchRecord

    @property
    def front(self) -> list[FrontPoint]:
        """The points of the Pareto front, sorted by the first objective."""
        return list(self.record["front"])

    @property
    def chosen(self) -> FrontPoint | None:
        """The chosen point, or None if no file keeps accuracy and limits."""
        return next((point for point in self.front if point["chosen"]), None)

    @property
    def tflite(self) -> Path | None:
        """Path of the chosen file, or None."""
        return None if self.chosen is None else self.folder / "chosen" / self.chosen["file"]

    def __repr__(self) -> str:
        return f"<SearchResult: {self._summary()}>"

    def _repr_html_(self) -> str:
        """Return the result as a line of HTML and a table of the front, for notebooks."""
        objectives = self.record["minimize"]
        head = "".join(f"<th>{escape(name)}</th>" for name in ("trial", "recipe", *objectives))
        rows = "".join(self._row(point) for point in self.front)
        return f"<p>{escape(self._summary())}</p><table><tr>{head}</tr>{rows}</table>"

    def _row(self, point: FrontPoint) -> str:
        figures = [f"{point['figures'][name]:,.6g}" for name in self.record["minimize"]]
        cells = (str(point["trial"]), point["in_short"], *figures)
        return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"

    def _summary(self) -> str:
        chosen = "none chosen" if self.chosen is None else f"chosen: {self.chosen['in_short']}"
        return f"{len(self.front)} files from {len(self.record['trials'])} trials, {chosen}, {self.folder}"


def conclude(
    study: Study,
    space: Space,
    goal: Goal,
    slot: Slot,
    working: Path,
    staging: Path,
    target: Path,
    setup: Setup,
    seconds: float,
    progress: Progress,
) -> SearchResult:
    """Verify the front, choose, and write everything into ``staging``."""
    ended, waiting = study.candidates()
    stored = [c for c in (*ended, *waiting) if (working / "trials" / f"{c.trial:04d}").is_dir()]
    notes: list[Note] = []
    compared = sum(not outcome.error for c in (*ended, *waiting) for outcome in c.outcomes)
    best, files, checks = _verified(
        pareto_front(goal, stored), goal, slot, working, notes, progress, compared
    )
    pick = _choose(goal, best, checks, setup.options.strict, notes)
    points = [
        _write_point(staging, number, candidate, files[candidate.trial], checks[candidate.trial], pick, goal)
        for number, candidate in enumerate(best, 1)
    ]
    if pick is not None:
        bundle, why_none = slot.call("bundle", files[pick.trial]).result()
        notes += [Note("no-bundle", f"no bundle: {why_none}", "warning")] if why_none else []
        _write_files(staging / "chosen", {**files[pick.trial], **bundle})
    record: SearchRecord = {
        "schema": SCHEMA,
        "device": {"name": setup.device.name, "title": setup.device.title},
        "minimize": list(goal.objectives),
        "max_drop": goal.max_drop,
        "confidence": setup.options.confidence,
        "compared": compared,
        "max_flash_bytes": setup.options.max_flash_bytes,
        "max_ram_bytes": setup.options.max_ram_bytes,
        "seconds": round(seconds, 1),
        "original": slot.call("original").result(),
        "sensitivity": as_json(space),
        "front": points,
        "trials": study.records(),
        "notes": [note_record(note) for note in (*notes, *search_notes(study.records(), points, compared))],
    }
    _write(staging, record)
    return SearchResult(target, record)


def _choose(
    goal: Goal, best: list[Candidate], checks: dict[int, Check], is_strict: bool, notes: list[Note]
) -> Candidate | None:
    """Return the point to deploy; None if no file keeps the accuracy."""
    pick = choose_point(goal, [c for c in best if not is_strict or checks[c.trial]["outcome"] == "kept"])
    if best and pick is None:
        text = (
            "no file is chosen, because the evaluation samples establish for none that the drop is accepted"
        )
        notes.append(Note("accuracy-not-established", text, "warning"))
    return pick


def _write_files(folder: Path, files: Files) -> None:
    for name, content in _listed(files).items():
        write_file(folder / name, content)


def _verified(
    best: list[Candidate],
    goal: Goal,
    slot: Slot,
    working: Path,
    notes: list[Note],
    progress: Progress,
    compared: int,
) -> tuple[list[Candidate], dict[int, Files], dict[int, Check]]:
    """Return the points whose files gave the recorded results again, with latencies timed interleaved."""
    files = {c.trial: _read(working / "trials" / f"{c.trial:04d}") for c in best}
    with progress.step("verifying every point of the front"):
        rows = slot.call("verify", [files[c.trial] for c in best], compared).result() if best else []
    checks = dict(zip((c.trial for c in best), rows, strict=True))
    files = {trial: {**found, "report.json": checks[trial]["report"]} for trial, found in files.items()}
    kept = []
    for candidate in best:
        check = checks[candidate.trial]
        if not check["same"] or not check["fits"]:
            text = f"trial {candidate.trial} is left out: its file did not reproduce the recorded results"
            notes.append(Note("not-reproduced", text, "warning"))
            continue
        figures = dict(candidate.last.figures)
        report = decode_report(files[candidate.trial]["report.json"])
        if report.device_latency is None:
            figures["latency"] = check["latency_ratio"]
        outcome = replace(candidate.last, figures=figures)
        kept.append(replace(candidate, outcomes=(*candidate.outcomes[:-1], outcome)))
    return pareto_front(goal, kept), files, checks


def _write_point(
    staging: Path,
    number: int,
    candidate: Candidate,
    files: Files,
    check: Check,
    pick: Candidate | None,
    goal: Goal,
) -> FrontPoint:
    """Write the files of a point, and return its record."""
    folder = f"points/{number:02d}"
    _write_files(staging / folder, files)
    report = decode_report(files["report.json"])
    return {
        "trial": candidate.trial,
        "folder": folder,
        "file": report.file,
        "recipe": f"{folder}/recipe.toml",
        "in_short": candidate.last.in_short,
        "training": candidate.training(goal.efforts),
        "figures": candidate.last.figures,
        "latency_unit": latency_of(report)[1],
        "latency_ratio_here": check["latency_ratio"],
        "accuracy": check["accuracy"],
        "drop": check["drop"],
        "outcome": check["outcome"],
        "drop_interval": check["drop_interval"],
        "verified": check["same"],
        "chosen": pick is not None and pick.trial == candidate.trial,
    }


def search_notes(trials: list[TrialRecord], points: list[FrontPoint], compared: int) -> list[Note]:
    """Return notes: how trials ended, what more time would bring, and the bias of the front."""
    if not is_any_finished(trials):
        text = (
            "the time budget ended before a trial was finished: run the same command again with a larger "
            "--time-budget; what was done is kept"
        )
        return [Note("budget-too-short", text, "warning")]
    counts: dict[str, int] = {}
    for trial in trials:
        word = trial["ended"] or "unfinished"
        counts[word] = counts.get(word, 0) + 1
    shown = ", ".join(f"{count} {word}" for word, count in sorted(counts.items(), key=lambda kv: -kv[1]))
    notes = [Note("trials-ended", f"{len(trials)} trial{'s' if len(trials) > 1 else ''}: {shown}")]
    if any(point["training"] != "full" for point in points):
        text = (
            "the time budget ended before every point was trained: run the same command again to train the "
            "points marked 'untrained' or 'trained in part'"
        )
        notes.append(Note("points-not-trained", text))
    if points:
        text = (
            f"the front is the best of {compared} files on the same evaluation samples: expect a slightly "
            "larger drop on new data; the intervals of the drop are corrected for it (Bonferroni)"
        )
        notes.append(Note("selection-bias", text))
    return notes


def is_any_finished(trials: list[TrialRecord]) -> bool:
    """Return True if a stage of a trial was finished, or a trial was given up."""
    return any(trial["outcomes"] or trial["ended"] for trial in trials)


def _listed(files: Files) -> Files:
    """The files of a point, all of them in its manifest: a later run may replace a folder it knows whole."""
    manifest = json.loads(files[MANIFEST])
    manifest["files"] = sorted(files)
    return {**files, MANIFEST: (json.dumps(manifest, indent=2) + "\n").encode()}


def _read(folder: Path) -> Files:
    if not folder.is_dir():
        raise ConversionError(f"{folder}: the files of a trial are gone", "Start again with --restart.")
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def _write(staging: Path, record: SearchRecord) -> None:
    from tflite_compress.reporting.plots import pareto_plot
    from tflite_compress.support.file_manifest import files_manifest

    write_file(staging / "search.json", json.dumps(record, indent=2) + "\n")
    write_file(staging / "pareto.svg", pareto_plot(dict(record)))
    written = {p.relative_to(staging).as_posix(): p.read_bytes() for p in staging.rglob("*") if p.is_file()}
    write_file(staging / MANIFEST, files_manifest(written))
