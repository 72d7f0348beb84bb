"""The ledger: a record of every run in a local SQLite file."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tflite_compress.reporting.model import Report, decode_report
from tflite_compress.support.errors import UsageError
from tflite_compress.support.progress import Progress

VARIABLE = "TFLITE_COMPRESS_LEDGER"
OFF = "none"
VERSION = 1
WAIT_S = 10.0
_COLUMNS = (
    "time text, command text, model text, model_sha256 text, device text, recipe text, in_short text, "
    "verdict text, fits integer, metric text, accuracy_before real, accuracy_after real, accuracy_drop real, "
    "samples integer, bytes_before integer, bytes_after integer, latency_ratio real, latency_ms real, "
    "latency_where text, file text, file_sha256 text, seconds real, report text"
)


@dataclass(frozen=True)
class Run:
    """One recorded run.

    Attributes:
        id: Its number in the ledger.
        figures: Column name and value, without the report.
        report: Its report; None where another version of this tool wrote it.
    """

    id: int
    figures: dict[str, Any]
    report: Report | None


def ledger_path(given: str | None = None) -> Path | None:
    """Where the ledger is.

    Args:
        given: The user's file, ``none`` for no ledger; by default the variable ``TFLITE_COMPRESS_LEDGER``,
            else ``tflite-compress/runs.sqlite`` in the user's data folder.

    Returns:
        The file; None where nothing is to be recorded.
    """
    named = given if given is not None else os.environ.get(VARIABLE)
    if named is not None:
        return None if named in ("", OFF) else Path(named).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "tflite-compress" / "runs.sqlite"


def record(path: Path, command: str, file: Path, report: Report, manifest: Mapping[str, Any]) -> int:
    """Add a run.

    Args:
        path: The ledger; made where it does not exist.
        command: ``compress``, ``search`` or ``repeat``.
        file: The resulting ``.tflite``.
        report: The report.
        manifest: What ``manifest.json`` holds.

    Returns:
        The run's number.

    Raises:
        UsageError: The ledger cannot be written.
    """
    row = _row(command, file, report, manifest)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", _STEP) from error
    with _opened(path) as connection:
        connection.execute(f"create table if not exists runs (id integer primary key, {_COLUMNS})")
        connection.execute(f"pragma user_version = {VERSION}")
        marks = ", ".join("?" * len(row))
        cursor = connection.execute(
            f"insert into runs ({', '.join(row)}) values ({marks})", list(row.values())
        )
        return int(cursor.lastrowid or 0)


def remember(
    given: str | None,
    command: str,
    results: Sequence[tuple[Path, Report, Mapping[str, Any]]],
    progress: Progress,
) -> None:
    """Record finished runs. A ledger that cannot be written is reported as progress and raises no error.

    Args:
        given: See :func:`ledger_path`.
        command: ``compress``, ``search`` or ``repeat``.
        results: File, report and manifest of each.
        progress: Receives the message if the ledger cannot be written.
    """
    path = ledger_path(given)
    if path is None:
        return
    try:
        for file, report, manifest in results:
            record(path, command, file, report, manifest)
    except UsageError as error:
        progress.say(f"the run was not recorded: {error.message}")


def runs(
    path: Path,
    model: str | None = None,
    device: str | None = None,
    ids: Sequence[int] = (),
    max_runs: int = 20,
) -> list[Run]:
    """Return the latest runs, newest first.

    Args:
        path: The ledger.
        model: Only those whose model's path contains this.
        device: Only those for this device.
        ids: Only these, in this order; other filters do not count then.
        max_runs: Maximum number of runs, the newest first.

    Raises:
        UsageError: The ledger cannot be read, or has no run of a number asked for.
    """
    if not path.exists():
        found: list[Run] = []
    else:
        with _opened(path) as connection:
            found = _select(connection, model, device, ids, max_runs)
    if ids:
        by_id = {run.id: run for run in found}
        missing = [str(i) for i in ids if i not in by_id]
        if missing:
            raise UsageError(f"no run {', '.join(missing)} in {path}", "'tflite-compress runs' lists them.")
        return [by_id[i] for i in ids]
    return found


_STEP = "Name another file with --ledger=FILE, or --ledger=none."


def _select(
    connection: sqlite3.Connection, model: str | None, device: str | None, ids: Sequence[int], max_runs: int
) -> list[Run]:
    wheres = ["1"]
    values: list[object] = []
    if ids:
        wheres.append(f"id in ({', '.join('?' * len(ids))})")
        values += list(ids)
    else:
        if model is not None:
            wheres.append("instr(model, ?)")
            values.append(model)
        if device is not None:
            wheres.append("device = ?")
            values.append(device)
    query = f"select * from runs where {' and '.join(wheres)} order by id desc limit ?"
    rows = connection.execute(query, [*values, max_runs if not ids else len(ids)])
    names = [column[0] for column in rows.description]
    return [_run(dict(zip(names, row, strict=True))) for row in rows]


def _run(row: dict[str, Any]) -> Run:
    content = row.pop("report")
    number = int(row.pop("id"))
    row["fits"] = None if row["fits"] is None else bool(row["fits"])
    return Run(number, row, _decoded(content))


def _decoded(content: str | None) -> Report | None:
    try:
        return decode_report(content or "")
    except msgspec.MsgspecError:
        return None


def _row(command: str, file: Path, report: Report, manifest: Mapping[str, Any]) -> dict[str, object]:
    accuracy, latency = report.accuracy, report.latency
    hashes = {Path(name).name: value["sha256"] for name, value in manifest["outputs"].items()}
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "model": str(manifest["model"].get("path") or ""),
        "model_sha256": manifest["model"].get("sha256"),
        "device": report.device.name,
        "recipe": report.recipe.name,
        "in_short": report.recipe.summary,
        "verdict": report.verdict.kind,
        "fits": int(report.fit.fits),
        "metric": accuracy.metric.name,
        "accuracy_before": accuracy.before,
        "accuracy_after": accuracy.after,
        "accuracy_drop": accuracy.drop,
        "samples": accuracy.samples,
        "bytes_before": report.size.baseline.bytes,
        "bytes_after": report.size.result.bytes,
        "latency_ratio": latency.ratio,
        "latency_ms": latency.result.median_ms,
        "latency_where": latency.source,
        "file": str(file.absolute()),
        "file_sha256": hashes.get(file.name),
        "seconds": sum(report.seconds.values()),
        "report": msgspec.json.encode(report).decode(),
    }


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The ledger, in one transaction.

    Raises:
        UsageError: It is none, of a later version, or cannot be opened.
    """
    try:
        connection = sqlite3.connect(path, timeout=WAIT_S)
        try:
            version = connection.execute("pragma user_version").fetchone()[0]
            if version > VERSION:
                raise UsageError(f"{path} was written by a later version of tflite-compress", _STEP)
            with connection:
                yield connection
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise UsageError(f"{path}: the ledger cannot be used ({error})", _STEP) from error
