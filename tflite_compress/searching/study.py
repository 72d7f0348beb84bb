"""Record every trial, its point and its outcomes in a file or database."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tflite_compress.searching.job import Outcome
from tflite_compress.searching.records import TrialRecord, Values
from tflite_compress.searching.space import Space, Trial, suggest
from tflite_compress.searching.stages import Candidate, Goal
from tflite_compress.support.errors import UsageError
from tflite_compress.support.process_settings import quieten

Storage = Any  # an Optuna storage
Sampler = Any  # an Optuna sampler

SAMPLERS = ("tpe", "nsga2", "random")
VIOLATION = "violation"
POPULATION = 24
MAX_CRASHES = 2  # a stage that crashed a worker twice is not tried again
MAX_ATTEMPTS = 20  # a killed search may have been killed by its user or by the stage


class Study:
    """One search's trials, as candidates.

    Args:
        storage: An open Optuna storage.
        name: Name of the study in the storage.
        goal: The objectives.
        owner: Name of this search. Unfinished trials of other owners are not resumed.

    Raises:
        UsageError: The storage has a study of this name with another number of objectives.
    """

    def __init__(self, storage: Storage, name: str, goal: Goal, owner: str) -> None:
        import optuna

        quieten("optuna")
        directions = ["minimize"] * len(goal.objectives)
        self._study = optuna.create_study(
            storage=storage, study_name=name, directions=directions, load_if_exists=True
        )
        if len(self._study.directions) != len(goal.objectives):
            raise UsageError("the study has other objectives", "Choose another --out or --storage.")
        self._storage, self._goal, self._owner = storage, goal, owner
        self._id = storage.get_study_id_from_name(name)

    def use(self, sampler: str, seed: int) -> None:
        """Choose the sampler; a continued search draws other points than before."""
        self._study.sampler = _sampler(sampler, seed + len(self._study.get_trials(deepcopy=False)))

    def agree_on(self, settings: dict[str, object]) -> None:
        """Record the settings of the search, or compare them with the recorded ones.

        Raises:
            UsageError: The recorded settings differ.
        """
        known = self.attribute("settings")
        if known is None:
            self.set_attribute("settings", settings)
            return
        other = [key for key in settings if json.dumps(known.get(key)) != json.dumps(settings[key])]
        if other:
            raise UsageError(
                f"a search with another {', '.join(other)} was started here",
                "Choose another --out (and --storage), or --restart to delete the earlier search.",
            )

    def attribute(self, key: str) -> Any:
        """Return a recorded attribute of the search, or None."""
        return self._study.user_attrs.get(key)

    def set_attribute(self, key: str, value: object) -> None:
        """Record an attribute of the search."""
        self._study.set_user_attr(key, value)

    def enqueue(self, points: list[Values]) -> None:
        """Try these points first, each only once even if the search is continued."""
        for values in points:
            self._study.enqueue_trial(values, skip_if_exists=True)

    def ask(self, space: Space) -> Candidate:
        """Draw a new point."""
        trial = self._study.ask()
        values = suggest(trial, space)
        trial.set_user_attr("owner", self._owner)
        trial.set_user_attr("values", values)
        return Candidate(trial.number, values)

    def note_attempt(self, candidate: Candidate) -> Candidate:
        """Record that a stage starts. This is recorded first because the stage may crash the process."""
        counted = replace(candidate, attempts=candidate.attempts + 1)
        self._set(candidate, "attempts", counted.attempts)
        return counted

    def note_crash(self, candidate: Candidate) -> Candidate:
        """Record that a stage crashed its worker."""
        counted = replace(candidate, crashes=candidate.crashes + 1)
        self._set(candidate, "crashes", counted.crashes)
        return counted

    def forget_attempt(self, candidate: Candidate) -> None:
        """Record that a stage was stopped on purpose."""
        self._set(candidate, "attempts", 0)

    def note_outcome(self, candidate: Candidate, outcome: Outcome) -> Candidate:
        """Record the outcome of a stage."""
        outcomes = (*candidate.outcomes, replace(outcome, files={}))
        known = replace(candidate, outcomes=outcomes, attempts=0, crashes=0)
        self._set(candidate, "outcomes", [_plain(o) for o in known.outcomes])
        self._set(candidate, "attempts", 0)
        self._set(candidate, "crashes", 0)
        return known

    def conclude(self, candidate: Candidate, why: str) -> None:
        """End a trial, and report its figures and its violation of the accuracy limit to the sampler."""
        from optuna.trial import TrialState

        self._set(candidate, "ended", why)
        figures = self._goal.figures(candidate.last) if candidate.outcomes else ()
        if not figures or not all(math.isfinite(v) for v in figures):
            self._study.tell(candidate.trial, state=TrialState.FAIL)
            return
        last = candidate.last
        self._set(candidate, VIOLATION, 1.0 if last.violation else last.drop - self._goal.max_drop)
        self._study.tell(candidate.trial, list(figures))

    def candidates(self) -> tuple[list[Candidate], list[Candidate]]:
        """Return the trials that ended with a file, and the unfinished trials of this search."""
        from optuna.trial import TrialState

        ended, waiting = [], []
        for trial in self._study.get_trials(deepcopy=False):
            known = trial.user_attrs
            outcomes = tuple(_outcome(o) for o in known.get("outcomes", []))
            counts = (known.get("attempts", 0), known.get("crashes", 0))
            found = Candidate(trial.number, known.get("values", {}), outcomes, *counts)
            if trial.state == TrialState.COMPLETE:
                ended.append(found)
            elif trial.state == TrialState.RUNNING and known.get("owner") == self._owner:
                waiting.append(found)
        return ended, waiting

    def records(self) -> list[TrialRecord]:
        """Return a record of every trial."""
        return [
            {
                "trial": trial.number,
                "state": trial.state.name.lower(),
                "ended": trial.user_attrs.get("ended"),
                "values": trial.user_attrs.get("values", {}),
                "outcomes": trial.user_attrs.get("outcomes", []),
            }
            for trial in self._study.get_trials(deepcopy=False)
            if "values" in trial.user_attrs
        ]

    def _set(self, candidate: Candidate, key: str, value: object) -> None:
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._id, candidate.trial)
        self._storage.set_trial_user_attr(trial_id, key, value)


def open_storage(storage: str | None, folder: Path) -> Storage:
    """Open the storage of a search.

    Args:
        storage: An Optuna storage URL, a path (``.log`` or ``.journal`` for Optuna's journal, else SQLite),
            or None for ``study.db`` in ``folder``.
        folder: The search's working folder.

    Raises:
        UsageError: The storage cannot be opened.
    """
    try:
        return _storage(storage, folder)
    except Exception as error:
        where = storage or folder / "study.db"
        text = " ".join(str(error).split())[:200]
        raise UsageError(
            f"--storage={where}: cannot be opened ({text})", "Give a file, or a URL that Optuna knows."
        ) from error


def delete_study(storage: Storage, name: str) -> None:
    """Delete a study if it exists."""
    import optuna

    with contextlib.suppress(KeyError):
        optuna.delete_study(study_name=name, storage=storage)


def _storage(storage: str | None, folder: Path) -> Storage:
    from optuna.storages import JournalStorage, RDBStorage, get_storage
    from optuna.storages.journal import JournalFileBackend

    if storage is not None and "://" in storage:
        return get_storage(storage)
    path = Path(storage) if storage is not None else folder / "study.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".log", ".journal"):
        return JournalStorage(JournalFileBackend(str(path)))
    arguments = {"connect_args": {"timeout": 60}}
    return get_storage(RDBStorage(f"sqlite:///{path.absolute()}", engine_kwargs=arguments))


def _sampler(name: str, seed: int) -> Sampler:
    import warnings

    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "nsga2":
            return optuna.samplers.NSGAIISampler(
                population_size=POPULATION, seed=seed, constraints_func=_violations
            )
        if name == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(
            seed=seed,
            multivariate=True,
            group=True,
            constant_liar=True,
            n_startup_trials=8,
            constraints_func=_violations,
        )


def _violations(trial: Trial) -> list[float]:
    return [float(trial.user_attrs.get(VIOLATION, 1.0))]


def _plain(outcome: Outcome) -> dict[str, object]:
    record = asdict(outcome)
    del record["files"]
    return {**record, "drop": outcome.drop if math.isfinite(outcome.drop) else None}


def _outcome(record: Mapping[str, Any]) -> Outcome:
    return Outcome(**{**record, "drop": math.inf if record["drop"] is None else record["drop"]})
