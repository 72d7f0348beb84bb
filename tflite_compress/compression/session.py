"""A session: one model and its data, loaded once, for all the devices of a run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tflite_compress.checking.fit_result import find_ram, find_violation, fit_and_bundle
from tflite_compress.checking.verdict import NO_LIMITS, Verdict
from tflite_compress.compression.compress import Options, Result
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.load import load_model
from tflite_compress.models.source import Source
from tflite_compress.passes.base import Context
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.export_trees import ExportTrees
from tflite_compress.passes.slim import Slim
from tflite_compress.passes.values import ConvertedModel, Encoding, FloatModel
from tflite_compress.pipeline.candidates import Attempt, Memo, best, run_plan
from tflite_compress.pipeline.plan import Plan
from tflite_compress.reporting.build_report import build_report, measure
from tflite_compress.reporting.details import details
from tflite_compress.reporting.fit_table import verdict_record
from tflite_compress.reporting.manifest import build_manifest
from tflite_compress.reporting.pages import written_pages
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.file_manifest import versions
from tflite_compress.support.progress import Progress
from tflite_compress.support.references import resolve_reference
from tflite_compress.support.staging import MANIFEST, full_disk, write_file
from tflite_compress.timing.machine import peak_bytes
from tflite_compress.trees.forest_network import ForestNetwork, forest_source
from tflite_compress.trees.forest_report import c_files, forest_record, with_choosing_samples
from tflite_compress.trees.load_forest import is_forest

CONVERSION_BYTES = 8  # of temporary files for each weight: the converter goes by way of a SavedModel
BASELINE, FOREST_BASELINE = Convert().baseline(), ExportTrees().baseline()


@dataclass
class Clock:
    """Seconds each named step took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what runs inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 3)


@dataclass(frozen=True, eq=False)
class Session:
    """A model and its data, ready to be compressed for any number of devices.

    Attributes:
        source: The loaded model.
        spec: Where the data came from.
        options: The run's settings.
        context: What passes look at.
        original: The model as plain float32 ``.tflite``.
        memo: Results devices share.
        clock: Time of the shared steps.
        invocation: The command line that asked for it, if one did.
    """

    source: Source
    spec: DataSpec
    options: Options
    context: Context
    original: bytes
    memo: Memo
    clock: Clock
    invocation: str = ""

    def run(self, plan: Plan, folder: Path) -> Result:
        """Compress for one device and write its files into ``folder``.

        Raises:
            ConversionError: No recipe of the plan gave a file.
        """
        clock = Clock(dict(self.clock.seconds))
        original = self._original(plan)
        start = FloatModel(self.source.network)
        with clock.step("passes"):
            attempts = run_plan(
                plan,
                start,
                self.context,
                self.memo,
                self.options.max_drop,
                self.spec.given,
                lambda model: self._violation(model, plan),
            )
        chosen = best(attempts, self.options.max_drop)
        if chosen is None:
            raise ConversionError(
                f"nothing could be made for {plan.device.name}: {attempts[-1].error}",
                "Choose another recipe or device ('tflite-compress recipes').",
            )
        with clock.step("latency"), self.context.progress.step("measuring latency"):
            latency = measure(original, chosen, self.context.reference, self.options.latency_seconds)
        report = build_report(
            plan,
            attempts,
            chosen,
            self.context.reference,
            original,
            latency,
            self.options.max_drop,
            self.spec.given,
        )
        with clock.step("fit and bundle"), self.context.progress.step("asking the device's runtime"):
            bundle = self._fit(plan, chosen, report)
        if isinstance(self.source.network, ForestNetwork):
            with clock.step("C code"), self.context.progress.step("compiling and checking the C code"):
                bundle |= self._forest(plan, chosen, report)
        if self.options.details:
            with clock.step("details"):
                report["details"] = details(original, chosen, self.context.reference, self.context.progress)
        report["model"] = {"name": self.source.network.name, "format": self.source.format}
        report["command"] = self.invocation
        report["seconds"] = clock.seconds
        report["peak_memory_bytes"] = peak_bytes()
        return self._write(plan, chosen, report, bundle, folder)

    def _original(self, plan: Plan) -> bytes:
        """The original as plain ``.tflite``; a forest's tables have the types the device can look up."""
        baseline = plan.candidates[0].conversion.baseline()
        if baseline in (BASELINE, FOREST_BASELINE):
            return self.original
        return baseline.apply(FloatModel(self.source.network), self.context).flatbuffer

    def _violation(self, model: ConvertedModel, plan: Plan) -> str | None:
        """Which of the user's limits a file exceeds; None if none."""
        limits = self.options.limits
        if limits == NO_LIMITS:
            return None
        names = tuple(port.name for port in self.source.network.inputs)
        samples = self.context.reference.splits.evaluate
        return find_violation(model.flatbuffer, plan.device, samples, names, limits)

    def _fit(self, plan: Plan, chosen: Attempt, report: dict[str, Any]) -> dict[str, bytes]:
        """Put the device's verdict into the report; gives the bundle's files."""
        network, passed = self.source.network, report["verdict"] != "failed"
        verdict, files, why_none = fit_and_bundle(
            chosen.model.flatbuffer,
            plan.device,
            self.context.reference.splits.evaluate,
            tuple(port.name for port in network.inputs),
            network.name,
            self.spec.preprocess,
            self.options.bundle and passed,
            self.options.limits,
        )
        report["fit"] = verdict_record(verdict)
        report["memory"] = self._memory(plan, verdict)
        latency = verdict.measurement("latency")
        if latency is not None:
            report["device_latency"] = latency.as_json()
        if why_none:
            report["notes"].append(f"no bundle: {why_none}")
        return {f"bundle/{name}": content for name, content in files.items()}

    def _forest(self, plan: Plan, chosen: Attempt, report: dict[str, Any]) -> dict[str, bytes]:
        """Put what is special about forests into the report; gives the C code for a microcontroller."""
        before, after = self.source.network, chosen.model.network
        assert isinstance(before, ForestNetwork) and isinstance(after, ForestNetwork)
        report["forest"] = forest_record(before, after.forest, self.original, self.context.reference)
        report["notes"] += [note.text for note in before.forest.notes]
        if plan.device.kind != "microcontroller":
            return {}
        files, record, notes = c_files(before.forest, after, self.context.reference)
        report["forest"]["c"] = record
        report["notes"] += notes
        wanted = self.options.bundle and report["verdict"] != "failed"
        return {f"bundle/c/{name}": content for name, content in files.items()} if wanted else {}

    def _memory(self, plan: Plan, verdict: Verdict) -> dict[str, Any]:
        """RAM of the original and of the result on the device; None where it is not known."""
        before = None
        if self.options.details:
            names = tuple(port.name for port in self.source.network.inputs)
            before = find_ram(self.original, plan.device, self.context.reference.splits.evaluate, names)
        costs = {"original_float32": before, "result": verdict.measurement("RAM")}
        return {name: None if cost is None else cost.as_json() for name, cost in costs.items()}

    def _write(
        self,
        plan: Plan,
        chosen: Attempt,
        report: dict[str, Any],
        bundle: dict[str, bytes],
        folder: Path,
    ) -> Result:
        """Write ``.tflite``, report, manifest and bundle."""
        content, encoding = chosen.model.flatbuffer, chosen.model.find(Encoding)
        passed = report["verdict"] != "failed"
        name = f"{self.source.network.name}{'' if passed else '.failed'}.tflite"
        report["file"] = name
        files = {name: content}
        if encoding is not None:
            report["plain_file"] = f"{Path(name).stem}.plain.tflite"
            files[report["plain_file"]] = encoding.plain
        recipe = msgspec.structs.replace(chosen.recipe, fallbacks=())  # settled: no fallbacks any more
        manifest = build_manifest(
            self.source,
            self.context.reference.splits,
            plan.device,
            recipe,
            recorded_arguments(self.source, self.spec, self.options),
            self.options.seed,
            files,
        )
        pages: dict[str, str | bytes] = {"report.json": json.dumps(report, indent=2) + "\n"}
        if self.options.details:
            pages |= written_pages(report, manifest)
        for file, written in {**files, **bundle, **pages}.items():
            write_file(folder / file, written)
        # Reports hold timings, so their hashes are no part of what a repeated run must match.
        listed = {**manifest, "files": [*files, *bundle, *pages, MANIFEST]}
        write_file(folder / MANIFEST, json.dumps(listed, indent=2) + "\n")
        return Result(plan.device.name, passed, folder / name, report, listed)


def open_session(model: Any, spec: DataSpec, options: Options, progress: Progress) -> Session:
    """Load model and data, run the original on them, and convert it to float32 for comparison.

    Args:
        model: A path, a Keras model, or a fitted estimator with trees.
        spec: Where the data comes from.
        options: The run's settings.
        progress: Where to report progress.

    Raises:
        CompressError: Model or data are missing, broken, or do not fit each other.
    """
    clock = Clock()
    forest = is_forest(model)
    with (
        clock.step("load"),
        progress.step(f"loading {'the forest' if forest else 'TensorFlow and the model'}"),
    ):
        source = forest_source(model, options.trust_model) if forest else _keras_source(model, options)
    if scarce := full_disk(CONVERSION_BYTES * source.network.parameter_count()):
        raise scarce
    with clock.step("data"), progress.step("reading the data"):
        splits = gather(spec, source.network, options.seed)
        if isinstance(source.network, ForestNetwork) and spec.given:
            splits = with_choosing_samples(splits, spec.calibrate is not None, options.seed)
    with clock.step("original"), progress.step("running the original model"):
        reference = make_reference(source.network, splits, source.loss, options.metric, options.loss)
        _ = reference.score
    fingerprint = json.dumps(
        [source.sha256, splits.train.sha256(), options.seed, options.loss, versions()], sort_keys=True
    )
    checkpoints = checkpoint_folder() / hashlib.sha256(fingerprint.encode()).hexdigest()[:20]
    if not options.resume:
        shutil.rmtree(checkpoints, ignore_errors=True)
    context = Context(reference, options.seed, progress, checkpoints, options.max_drop)
    with clock.step("baseline"):
        baseline = (FOREST_BASELINE if forest else BASELINE).apply(FloatModel(source.network), context)
        if not forest:
            baseline = Slim().apply(baseline, context)
    return Session(source, spec, options, context, baseline.flatbuffer, Memo(), clock)


def _keras_source(model: Any, options: Options) -> Source:
    """Load a Keras model, everything random seeded before."""
    from tflite_compress.support.backend import seed_everything

    seed_everything(options.seed)
    custom = options.custom_objects
    named = custom if isinstance(custom, str) else None
    objects: Any = resolve_reference(named, "--custom-objects") if named else custom
    return load_model(model, dict(objects or {}), options.trust_model, named)


def checkpoint_folder() -> Path:
    """Where interrupted trainings leave their state: the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "tflite-compress" / "training"


def recorded_arguments(source: Source, spec: DataSpec, options: Options) -> dict[str, Any]:
    """The run's arguments as the manifest keeps them; live Python objects only by mention."""
    from_python = [
        name
        for name, value in [*vars(spec).items(), ("custom_objects", options.custom_objects)]
        if value is not None and not isinstance(value, str | bool | int | float | os.PathLike)
    ]
    if source.origin.startswith("<"):
        from_python.append("model")
    data = {
        k: str(v) if isinstance(v, os.PathLike) else v for k, v in vars(spec).items() if k not in from_python
    }
    settings = {k: v for k, v in asdict(options).items() if k not in (*from_python, "resume")}
    return {"data": data, "options": settings, "not_repeatable": ", ".join(from_python)}
