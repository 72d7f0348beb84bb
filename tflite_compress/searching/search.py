"""Search for the best files for a model, a device and a time budget."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tflite_compress.compression.compress import default_out
from tflite_compress.compression.options import make_options
from tflite_compress.compression.preflight import check_inputs
from tflite_compress.data.gather import DataSpec
from tflite_compress.data.sources import DataSource, Preprocess
from tflite_compress.profiles.devices import load_device
from tflite_compress.reporting.ledger import remember
from tflite_compress.reporting.model import decode_report
from tflite_compress.searching.engine import Slot, open_slots
from tflite_compress.searching.explore import Budget, explore
from tflite_compress.searching.job import OBJECTIVES, Outcome, Setup
from tflite_compress.searching.records import Identity
from tflite_compress.searching.search_result import SearchResult, conclude
from tflite_compress.searching.space import starting_points
from tflite_compress.searching.stages import Candidate, Goal
from tflite_compress.searching.study import SAMPLERS, Study, delete_study, open_storage
from tflite_compress.support.errors import CompressError, DataError, OutputError, UsageError, closest
from tflite_compress.support.progress import Progress, Silent
from tflite_compress.support.references import reference_name
from tflite_compress.support.staging import require_writable, result_folder, write_file
from tflite_compress.trees.load_forest import require_network

MARK = "study.txt"
ENGINES = ("local", "ray")


@dataclass(frozen=True)
class SearchSettings:
    """Settings of a search.

    Attributes:
        minimize: Objectives, of ``searching.job.OBJECTIVES``.
        time_budget_seconds: Time limit, including earlier runs of an unfinished search.
        trials: Maximum number of trials; None for no limit.
        workers: Number of worker processes.
        engine: ``local`` or ``ray``.
        sampler: Algorithm that draws points: ``tpe``, ``nsga2`` or ``random``.
        storage: Storage of the study: a file or an Optuna storage URL; None stores it beside the result.
        restart: Delete the state of an earlier run.
    """

    minimize: tuple[str, ...] = ("size", "latency")
    time_budget_seconds: float = 1800.0
    trials: int | None = None
    workers: int = 1
    engine: str = "local"
    sampler: str = "tpe"
    storage: str | None = None
    restart: bool = False

    def __post_init__(self) -> None:
        """Check values.

        Raises:
            UsageError: A value is not valid.
        """
        for name in self.minimize:
            if name not in OBJECTIVES:
                raise UsageError(
                    f"--minimize={name}: unknown.{closest(name, list(OBJECTIVES))}",
                    f"Choose from {', '.join(OBJECTIVES)}, separated by commas.",
                )
        if not self.minimize or len(set(self.minimize)) < len(self.minimize):
            raise UsageError(
                "--minimize: expected different objectives", "For example --minimize=size,latency."
            )
        for what, value, known in (("engine", self.engine, ENGINES), ("sampler", self.sampler, SAMPLERS)):
            if value not in known:
                raise UsageError(f"--{what}={value}: unknown", f"Choose from {', '.join(known)}.")
        counts = (("workers", self.workers), ("trials", self.trials))
        for what, count in counts:
            if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
                raise UsageError(
                    f"--{what}={count}: expected a whole number from 1", f"For example --{what}=2."
                )
        if not self.time_budget_seconds > 0:
            raise UsageError("--time-budget: expected a time above 0", "For example --time-budget=30m.")


def search(
    model: object,
    device: str,
    *,
    data: DataSource | None = None,
    train: DataSource | None = None,
    calibrate: DataSource | None = None,
    evaluate: DataSource | None = None,
    unlabelled: DataSource | None = None,
    preprocess: Preprocess = "none",
    resize: bool = False,
    settings: SearchSettings | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    ledger: str | None = None,
    **options: Any,
) -> SearchResult:
    """Search for the best files within a drop in accuracy, limits on memory, and a budget of time.

    If the search is interrupted, or the budget ends while trials run, call it again with the same arguments
    to resume it. Its state is kept next to the result, in ``OUT.search``.

    Args:
        model: Path of a model, or a Keras model (then with one worker, in this process).
        device: Name of a device profile, or path of your own.
        data: One source for training, calibration and evaluation.
        train: Training data, if it comes separately.
        calibrate: Calibration data, if it comes separately.
        evaluate: Evaluation data, if it comes separately.
        unlabelled: More data for training, whose labels are not read.
        preprocess: ``none``, ``unit``, ``symmetric`` or ``module:function``.
        resize: Resize images to the model's input.
        settings: What to minimize, the budget, and how to search.
        out: Folder for the result; ``searched/MODEL-DEVICE`` by default.
        progress: Where to report progress; silent by default.
        ledger: The ledger's file, or ``none``; the chosen file is recorded.
        **options: See :class:`tflite_compress.Options`.

    Returns:
        The result; ``chosen`` is None where no file keeps accuracy and limits.

    Raises:
        CompressError: Something the user can mend.
    """
    require_network(model, "search")
    wanted, settled = settings or SearchSettings(), make_options(options)
    profile = load_device(device)
    spec = DataSpec(data, train, calibrate, evaluate, preprocess, resize, unlabelled)
    if not spec.given or spec.only_evaluation:
        given = "only evaluation data" if spec.given else "no data"
        raise DataError(
            f"a search trains and calibrates, and {given} was given", "Give --data=FILE or module:function."
        )
    model = os.fspath(model) if isinstance(model, str | os.PathLike) else model
    target = Path(out) if out is not None else Path("searched") / default_out(model, [profile.name]).name
    check_inputs(model, spec, settled)
    require_writable(target)
    working = target.with_name(target.name + ".search")
    goal = Goal(wanted.minimize, settled.max_drop)
    setup = Setup(model, spec, settled, profile, wanted.minimize)
    where = progress or Silent()
    with (
        _locked(working, wanted.restart),
        result_folder(target) as staging,
        _slots(wanted, setup, where) as slots,
    ):
        found = _searched(setup, goal, wanted, slots, (working, staging, target), where)
    if found.tflite is not None:
        kept = found.tflite.parent
        report = decode_report((kept / "report.json").read_bytes())
        manifest = json.loads((kept / "manifest.json").read_text())
        remember(ledger, "search", [(found.tflite, report, manifest)], where)
    return found


def _searched(
    setup: Setup,
    goal: Goal,
    wanted: SearchSettings,
    slots: list[Slot],
    folders: tuple[Path, Path, Path],
    progress: Progress,
) -> SearchResult:
    working, staging, target = folders
    budget = Budget(wanted.time_budget_seconds, 0.0, wanted.trials)
    with progress.step("loading the model and its data"):
        identity = slots[0].call("identity").result()
    storage = open_storage(wanted.storage, working)
    name = f"{identity['name']}-{setup.device.name}-{'-'.join(goal.objectives)}"
    if wanted.restart:
        delete_study(storage, name)
    study = Study(storage, name, goal, str(working.absolute()))
    study.use(wanted.sampler, setup.options.seed)
    study.agree_on(_settings(identity, setup, goal))
    with progress.step("measuring the sensitivity of each part"):
        space = slots[0].call("space").result()
    for slot in slots[1:]:
        slot.call("use", space)
    if wanted.sampler != "random":
        study.enqueue(starting_points(space))
    spent = study.attribute("spent_s") or 0.0
    if spent:
        progress.say(f"continuing a search: {spent:.0f} of {budget.seconds:.0f} s are used")
    budget = Budget(budget.seconds, spent, budget.trials, budget.started)
    explore(study, space, goal, slots, budget, _keeper(working), progress)
    study.set_attribute("spent_s", 0.0)  # another call with the same arguments searches further
    used = budget.used - spent
    return conclude(study, space, goal, slots[0], working, staging, target, setup, used, progress)


def _settings(identity: Identity, setup: Setup, goal: Goal) -> dict[str, object]:
    """Return the settings that must be equal to continue a search."""
    options = setup.options
    return {
        "model": identity["model"],
        "data": {role: record["sha256"] for role, record in identity["data"].items()},
        "device": msgspec.to_builtins(setup.device),
        "minimize": list(goal.objectives),
        "max-drop": options.max_drop,
        "max-flash": options.max_flash_bytes,
        "max-ram": options.max_ram_bytes,
        "metric": _name_of(options.metric),
        **{k: v for k in ("task", "head", "anchors") if (v := getattr(options, k)) is not None},
        "loss": _name_of(options.loss),
        "seed": options.seed,
    }


def _name_of(value: str | Callable[..., object] | None) -> str | None:
    return None if value is None else reference_name(value)


def _keeper(working: Path) -> Callable[[Candidate, Outcome], None]:
    """Return a function that stores the folder of a feasible file atomically."""

    def keep(candidate: Candidate, outcome: Outcome) -> None:
        place = trial_folder(working, candidate.trial)
        fresh = place.with_name(place.name + ".partial")
        shutil.rmtree(fresh, ignore_errors=True)
        for name, content in outcome.files.items():
            write_file(fresh / name, content)
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)

    return keep


def trial_folder(working: Path, trial: int) -> Path:
    """Return the folder of a trial's files."""
    return working / "trials" / f"{trial:04d}"


@contextlib.contextmanager
def _slots(wanted: SearchSettings, setup: Setup, progress: Progress) -> Iterator[list[Slot]]:
    slots = open_slots(wanted.engine, wanted.workers, setup, progress)
    try:
        yield slots
    finally:
        for slot in slots:
            slot.close()


@contextlib.contextmanager
def _locked(working: Path, restart: bool) -> Iterator[None]:
    """Create the working folder and lock it against other runs.

    Raises:
        OutputError: The folder is not a search's, is in use, or cannot be written.
    """
    if working.exists() and not (working / MARK).is_file() and any(working.iterdir()):
        raise OutputError(f"{working}: exists and is no search of this tool", "Choose another --out.")
    try:
        working.mkdir(parents=True, exist_ok=True)
        with (working / MARK).open("a+") as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise OutputError(
                    f"{working}: another search is running there", "Wait for it, or choose another --out."
                ) from error
            if restart:
                for path in working.iterdir():
                    if path.name != MARK:
                        shutil.rmtree(path) if path.is_dir() else path.unlink()
            if not mark.tell():
                mark.write("State of a tflite-compress search; delete the folder to forget it.\n")
                mark.flush()
            yield
    except CompressError:
        _forget_if_empty(working)
        raise
    except OSError as error:
        raise OutputError(
            f"{working}: cannot be written ({error.strerror or error})", "Choose another --out."
        ) from error


def _forget_if_empty(working: Path) -> None:
    """Remove the working folder of a search that did not start."""
    if [path.name for path in working.iterdir()] != [MARK]:
        return
    (working / MARK).unlink()
    working.rmdir()
    with contextlib.suppress(OSError):
        working.parent.rmdir()
