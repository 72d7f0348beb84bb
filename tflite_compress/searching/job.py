"""One trial's work: run a point's recipe with some effort and say what came out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite_compress.pipeline.plan import Plan
from tflite_compress.pipeline.recipes import Recipe, as_toml, describe
from tflite_compress.searching.space import Effort, Space, Values, recipe_of
from tflite_compress.support.errors import CompressError

if TYPE_CHECKING:
    from tflite_compress.compression.compress import Options
    from tflite_compress.compression.session import Session
    from tflite_compress.data.gather import DataSpec
    from tflite_compress.profiles.devices import Device
    from tflite_compress.support.progress import Progress

OBJECTIVES = ("size", "gzip", "latency", "ram", "flash", "macs", "drop")
QUICK_LATENCY_SECONDS = 0.4


@dataclass(frozen=True)
class Setup:
    """Everything a worker needs to begin; plain values, so that it can be sent to another process.

    Attributes:
        model: Path of the model, or a Keras model where everything stays in one process.
        spec: Where data comes from.
        options: Accuracy, limits, seed.
        device: What files are made for.
        objectives: What is minimized.
    """

    model: Any
    spec: DataSpec
    options: Options
    device: Device
    objectives: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A trial to be run.

    Attributes:
        trial: Its number.
        stage: Which rung of its ladder this is.
        values: The point.
        effort: How much work to put in.
    """

    trial: int
    stage: int
    values: Values
    effort: Effort


@dataclass(frozen=True)
class Outcome:
    """What came out of a job.

    Attributes:
        figures: By name of objective; what could not be found out is missing.
        drop: Accuracy lost; infinite without a file.
        violation: Why it does not fit the device or the user's limits, or an empty string.
        seconds: Time it took.
        in_short: The recipe in a few words.
        error: Why there is no file, or an empty string.
        files: The result's folder, by path: ``.tflite``, report and manifest.
    """

    figures: dict[str, float]
    drop: float
    violation: str
    seconds: float
    in_short: str
    error: str = ""
    files: dict[str, bytes] = field(default_factory=dict)


class Worker:
    """Holds a model and its data, and runs jobs on them one after the other."""

    def __init__(self, setup: Setup, progress: Progress) -> None:
        from tflite_compress.compression.session import open_session

        options = replace(setup.options, bundle=False, details=False, latency_seconds=QUICK_LATENCY_SECONDS)
        self._setup = setup
        self._session: Session = open_session(setup.model, setup.spec, options, progress)
        self._space: Space | None = None

    def identity(self) -> dict[str, Any]:
        """Hashes of model and data, by which a search that continues knows that they are the same."""
        from tflite_compress.reporting.manifest import data_record

        return {
            "model": self._session.source.sha256,
            "name": self._session.source.network.name,
            "data": data_record(self._session.context.reference.splits),
        }

    def original(self) -> dict[str, Any]:
        """The original as plain float32 ``.tflite``, and what accuracy is measured by."""
        reference = self._session.context.reference
        return {
            "bytes": len(self._session.original),
            "accuracy": reference.score.value,
            "metric": reference.metric_name,
            "samples": len(reference.splits.evaluate),
        }

    def space(self) -> Space:
        """What may be set, with the sensitivity of each part; measured the first time."""
        from tflite_compress.passes.base import Model
        from tflite_compress.searching.sensitivity import measure_space

        if self._space is None:
            start = Model(self._session.source.network)
            setup = self._setup
            self._space = measure_space(start, setup.device, setup.objectives, self._session.context)
        return self._space

    def use(self, space: Space) -> None:
        """Take over what another worker has measured."""
        self._space = space

    def run(self, job: Job) -> Outcome:
        """Run a job; what the recipe cannot do for this model is an outcome too."""
        start = time.perf_counter()
        recipe = recipe_of(job.values, self.space(), job.effort, f"search-{job.trial:04d}")
        try:
            report, files = self._made(recipe)
        except CompressError as error:
            seconds = time.perf_counter() - start
            return Outcome({}, float("inf"), "", seconds, describe(recipe), error.message)
        figures = figures_of(report)
        absent = [name for name in self._setup.objectives if name not in figures]
        return Outcome(
            figures,
            report["accuracy"]["drop"],
            misfit_of(report),
            time.perf_counter() - start,
            report["recipe"]["in_short"],
            f"no figure for {', '.join(absent)}" if absent else "",
            files,
        )

    def verify(self, contents: Sequence[dict[str, bytes]]) -> list[dict[str, Any]]:
        """Check finished files once more, from their bytes; see ``searching.verify``."""
        from tflite_compress.searching.reproduce import verified

        return verified(contents, self._session, self._setup.device)

    def bundle(self, files: dict[str, bytes]) -> tuple[dict[str, bytes], str]:
        """The bundle of a finished file; see ``searching.verify``."""
        from tflite_compress.searching.reproduce import bundle_of

        return bundle_of(files, self._session, self._setup.device)

    def _made(self, recipe: Recipe) -> tuple[dict[str, Any], dict[str, bytes]]:
        from tflite_compress.pipeline.candidates import Memo

        session = replace(self._session, memo=Memo())
        with tempfile.TemporaryDirectory(prefix="tflite-compress-") as scratch:
            folder = Path(scratch)
            result = session.run(Plan(self._setup.device, (recipe,)), folder)
            files = {
                p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
            }
        return result.report, {**files, "recipe.toml": as_toml(recipe).encode()}


def figures_of(report: dict[str, Any]) -> dict[str, float]:
    """The objectives, from a report."""
    found = {
        "size": report["size"]["result"]["bytes"],
        "gzip": report["size"]["result"]["gzip_bytes"],
        "macs": report["macs"]["result"].get("value"),
        "drop": report["accuracy"]["drop"],
        "latency": latency_of(report)[0],
        "ram": _cost(report, "RAM"),
        "flash": _cost(report, "flash"),
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def latency_of(report: dict[str, Any]) -> tuple[float, str]:
    """Latency and its unit: what is known of the device, else the ratio measured on this machine."""
    known = report["device_latency"]
    if "value" in known and known.get("unit") == "ms":
        return known["value"], f"ms on the device, {known['kind']}"
    return report["latency"]["ratio"], "x the float32 original's on this machine, measured"


def misfit_of(report: dict[str, Any]) -> str:
    """Why a file does not fit its device or the user's limits; an empty string where it does."""
    stops = [f"{f['subject']}: {f['text']}" for f in report["fit"]["findings"] if f["fits"] is False]
    return "" if report["fit"]["fits"] else "; ".join(stops) or "a limit cannot be checked"


def _cost(report: dict[str, Any], subject: str) -> float | None:
    findings = report["fit"]["findings"]
    return next((f["cost"]["value"] for f in findings if f["subject"] == subject and "cost" in f), None)
