"""Run the recipe of one trial with a given effort."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tflite_compress.pipeline.plan import Plan
from tflite_compress.pipeline.recipes import Recipe, as_toml, describe
from tflite_compress.searching.records import Check, Files, Identity, Original, Values
from tflite_compress.searching.space import Effort, Space, recipe_of
from tflite_compress.support.errors import CompressError

if TYPE_CHECKING:
    from tflite_compress.compression.options import Options
    from tflite_compress.compression.session import Session
    from tflite_compress.data.gather import DataSpec
    from tflite_compress.profiles.devices import Device
    from tflite_compress.reporting.model import Report
    from tflite_compress.support.progress import Progress

OBJECTIVES = ("size", "gzip", "latency", "ram", "flash", "macs", "drop")
QUICK_LATENCY_SECONDS = 0.4


@dataclass(frozen=True)
class Setup:
    """What a worker needs to start, as values that can be sent to another process.

    Attributes:
        model: Path of the model, or a Keras model for a worker in this process.
        spec: The data sources.
        options: Settings of the run: accuracy, limits, seed.
        device: The target device.
        objectives: What to minimize.
    """

    model: object
    spec: DataSpec
    options: Options
    device: Device
    objectives: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """One stage of a trial.

    Attributes:
        trial: Number of the trial.
        stage: Number of the stage, from 0.
        values: The point.
        effort: Effort of the stage.
    """

    trial: int
    stage: int
    values: Values
    effort: Effort


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    Attributes:
        figures: Value of each objective; unknown ones are missing.
        drop: Accuracy drop; infinite if there is no file.
        violation: Why the file does not fit the device or the user's limits, or None.
        seconds: Duration of the job.
        in_short: The recipe in a few words.
        error: Why there is no file, or None.
        files: Files of the result by path: ``.tflite``, report and manifest.
    """

    figures: dict[str, float]
    drop: float
    violation: str | None
    seconds: float
    in_short: str
    error: str | None = None
    files: Files = field(default_factory=dict)


class Worker:
    """Loads a model and its data, and runs jobs on them one at a time."""

    def __init__(self, setup: Setup, progress: Progress) -> None:
        from tflite_compress.compression.open_session import open_session

        options = replace(setup.options, bundle=False, details=False, latency_seconds=QUICK_LATENCY_SECONDS)
        self._setup = setup
        self._session: Session = open_session(setup.model, setup.spec, options, progress)
        self._space: Space | None = None

    def identity(self) -> Identity:
        """Return hashes of model and data, by which a continued search recognizes them."""
        from tflite_compress.reporting.manifest import data_record

        return {
            "model": self._session.source.sha256,
            "name": self._session.source.network.name,
            "data": data_record(self._session.context.reference.splits),
        }

    def original(self) -> Original:
        """Return size and accuracy of the original model as float32 ``.tflite``."""
        reference = self._session.context.reference
        return {
            "bytes": len(self._session.original),
            "accuracy": reference.score.value,
            "metric": reference.metric_name,
            "higher_is_better": all(metric.higher_is_better for metric in reference.metrics),
            "is_share": all(metric.is_share for metric in reference.metrics),
            "samples": len(reference.splits.evaluate),
        }

    def space(self) -> Space:
        """Return the search space with the sensitivity of each part; the first call measures it."""
        from tflite_compress.passes import FloatModel
        from tflite_compress.searching.sensitivity import measure_space

        if self._space is None:
            start = FloatModel(self._session.source.network, notes=self._session.source.notes)
            setup = self._setup
            self._space = measure_space(start, setup.device, setup.objectives, self._session.context)
        return self._space

    def use(self, space: Space) -> None:
        """Use a search space that another worker has measured."""
        self._space = space

    def run(self, job: Job) -> Outcome:
        """Run a job. An error of the recipe on this model is an outcome too."""
        start = time.perf_counter()
        recipe = recipe_of(job.values, self.space(), job.effort, f"search-{job.trial:04d}")
        try:
            report, files = self._run_recipe(recipe)
        except CompressError as error:
            seconds = time.perf_counter() - start
            return Outcome({}, float("inf"), None, seconds, describe(recipe), error.message)
        figures = figures_of(report)
        absent = [name for name in self._setup.objectives if name not in figures]
        return Outcome(
            figures,
            report.judged_drop,
            violation_of(report),
            time.perf_counter() - start,
            report.recipe.summary,
            f"no figure for {', '.join(absent)}" if absent else None,
            files,
        )

    def verify(self, contents: Sequence[Files], compared: int) -> list[Check]:
        """Run finished files again; see :func:`searching.reproduce.verify_files`."""
        from tflite_compress.searching.reproduce import verify_files

        return verify_files(contents, self._session, self._setup.device, compared)

    def bundle(self, files: Files) -> tuple[Files, str]:
        """Make the bundle of a finished file; see :func:`searching.reproduce.make_file_bundle`."""
        from tflite_compress.searching.reproduce import make_file_bundle

        return make_file_bundle(files, self._session, self._setup.device)

    def _run_recipe(self, recipe: Recipe) -> tuple[Report, Files]:
        from tflite_compress.pipeline.memo import Memo

        session = replace(self._session, memo=Memo(), checker=self._session.checker.fresh())
        with tempfile.TemporaryDirectory(prefix="tflite-compress-") as scratch:
            folder = Path(scratch)
            result = session.run(Plan(self._setup.device, (recipe,)), folder)
            files = {
                p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
            }
        return result.report, {**files, "recipe.toml": as_toml(recipe).encode()}


def figures_of(report: Report) -> dict[str, float]:
    """Return the values of the objectives from a report."""
    flash, ram = report.fit.measurement("flash"), report.fit.measurement("RAM")
    found = {
        "size": report.size.result.bytes,
        "gzip": report.size.result.gzip_bytes,
        "macs": report.macs.result.exact,
        "drop": report.judged_drop if math.isfinite(report.judged_drop) else max(1.0, report.accuracy.drop),
        "latency": latency_of(report)[0],
        "ram": None if ram is None else ram.value,
        "flash": None if flash is None else flash.value,
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def latency_of(report: Report) -> tuple[float, str]:
    """Return latency and its unit: that of the device if it is known, else the ratio on this machine."""
    known = report.device_latency
    if known is not None and known.unit == "ms":
        return known.value, f"ms on the device, {known.kind}"
    return report.latency.ratio, "x the float32 baseline on this machine, measured"


def violation_of(report: Report) -> str | None:
    """Return why a file does not fit its device or the user's limits, or None if it does."""
    if report.fit.fits:
        return None
    stops = [f"{f.subject}: {f.text}" for f in report.fit.findings if f.fits is False]
    return "; ".join(stops) or "a limit cannot be checked"
