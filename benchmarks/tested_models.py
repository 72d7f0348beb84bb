"""Run the commands of the tool on public models and write docs/tested-models.md.

    python benchmarks/tested_models.py CACHE [--only=NAME] [--kind=TEXT] [--columns=NAME,...]
        [--again=WORD,...] [--table]

Models are those of tested_models.toml. CACHE keeps packages, built models and CACHE/outcomes.jsonl, one
line for each command that ended, so an interrupted run goes on. The output of each command is in
CACHE/models. --only: models whose name contains NAME. --kind: models whose kind contains TEXT. --columns:
only these columns of the table. --again: run commands again that ended with one of these words (ok, no,
refused, differs, wrong, too-long), or all, or old: those that ran with another commit of the tool.
--table: only write the table. Needs pip and npm on the PATH. About an hour on 2 free cores.
"""

from __future__ import annotations

import argparse
import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from tested_catalogue import Catalogue, Model, read_catalogue
from tested_files import folder_of, provide
from tested_outcome import Outcome, judge
from tested_table import PAGE, page

ROOT = Path(__file__).parent.parent
Outcomes = dict[tuple[str, str], Outcome]


def main() -> None:
    """Run what has not run yet, then write the table."""
    parser = argparse.ArgumentParser(description="Run the commands of the tool on public models.")
    parser.add_argument("cache", type=Path)
    for name in ("--only", "--kind", "--columns", "--again"):
        parser.add_argument(name, default="")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    cache = options.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    catalogue, record = read_catalogue(), cache / "outcomes.jsonl"
    for model in [] if options.table else catalogue.models:
        if options.only in model.name and options.kind in model.kind:
            wanted = to_run(
                model, catalogue, read_outcomes(record), options.again.split(","), options.columns
            )
            run_model(model, wanted, catalogue, cache)
    PAGE.write_text(page(catalogue, read_outcomes(record)))
    print(PAGE)


def read_outcomes(record: Path) -> Outcomes:
    """Return the newest outcome of each model and column."""
    lines = record.read_bytes().splitlines() if record.exists() else []
    outcomes = [msgspec.json.decode(line, type=Outcome) for line in lines]
    return {(outcome.model, outcome.column): outcome for outcome in outcomes}


def to_run(model: Model, catalogue: Catalogue, known: Outcomes, again: list[str], columns: str) -> list[str]:
    """Return the columns of a model that have not run yet, or whose outcome is asked for again.

    Args:
        model: The model.
        catalogue: The catalogue, which has the columns.
        known: Outcomes so far.
        again: Words of outcomes, ``old`` and ``all``.
        columns: The columns that may run, separated by commas; empty for all.
    """
    chosen = [c for c in catalogue.columns(model) if not columns or c in columns.split(",")]
    wanted = []
    for column in chosen:
        last = known.get((model.name, column))
        old = last is not None and "old" in again and last.commit != commit()
        if last is None or old or "all" in again or last.word.replace(" ", "-") in again:
            wanted.append(column)
    return wanted


def run_model(model: Model, columns: list[str], catalogue: Catalogue, cache: Path) -> None:
    """Run commands on a model and record each outcome when it is there."""
    if not columns:
        return
    try:
        path, out = provide(model, catalogue, cache), folder_of(model, cache)
    except (subprocess.SubprocessError, OSError) as error:
        print(
            f"{model.name}  not to be had: {error}\n{getattr(error, 'stderr', b'').decode()}", file=sys.stderr
        )
        return
    for column in columns:
        file = path if column in catalogue.keras or not model.is_keras else written_file(out)
        if file is None:
            continue
        command = catalogue.columns(model)[column].format(
            model=file, options=model.options, out=out, data=out / "data.npz"
        )
        outcome = run_command(model, column, command, catalogue.seconds, out)
        if outcome.reason:
            shown = outcome.reason.replace(str(file), file.name).replace(f"{out}/", "")
            outcome = msgspec.structs.replace(outcome, reason=shown)
        with (cache / "outcomes.jsonl").open("ab") as record:
            record.write(msgspec.json.encode(outcome) + b"\n")
        print(f"{model.name}  {column}: {outcome.word}, {outcome.seconds:.1f} s  {outcome.reason or ''}")
        sys.stdout.flush()


def written_file(out: Path) -> Path | None:
    """Return the .tflite that compress wrote: int8, else dynamic, else float16; None if none was written."""
    for folder in ("int8", "dynamic", "float16"):
        for path in sorted((out / folder).glob("*.tflite")):
            return path
    return None


def run_command(model: Model, column: str, command: str, limit: int, folder: Path) -> Outcome:
    """Run one command in a child process and judge how it ended."""
    environment = {**os.environ, "TFLITE_COMPRESS_LEDGER": "none", "PYTHONPATH": str(ROOT)}
    started = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "tflite_compress", *command.split()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    try:
        printed, messages = child.communicate(timeout=limit)
        word, reason = judge(column, child.returncode, printed, messages)
    except subprocess.TimeoutExpired:
        stop(child)
        printed, messages = child.communicate()
        word, reason = "too long", f"did not end in {limit} s"
    except BaseException:
        stop(child)
        raise
    seconds = time.monotonic() - started
    (folder / f"{column}.log").write_text(f"{command}\n{printed}\n{messages}")
    return Outcome(model.name, column, word, round(seconds, 1), reason, commit())


def stop(child: subprocess.Popen[str]) -> None:
    """End a child process and its own children."""
    os.killpg(child.pid, signal.SIGKILL)


@functools.cache
def commit() -> str:
    """Return the short hash of the last commit that changed the tool."""
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%h", "--", "tflite_compress"]
    found = subprocess.run(command, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
