"""A session: one model and its data, loaded once, for all the devices of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from tflite_compress.bundling.detections import find_detections
from tflite_compress.checking.fit_result import FileChecker
from tflite_compress.checking.verdict import Verdict
from tflite_compress.compression.clock import Clock
from tflite_compress.compression.host_latency import measure_host_latency
from tflite_compress.compression.options import Options, Result
from tflite_compress.compression.recorded_arguments import recorded_arguments
from tflite_compress.data.gather import DataSpec
from tflite_compress.models.layer_table import layer_table
from tflite_compress.models.source import Source
from tflite_compress.passes.base import Context
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.export_trees import ExportTrees
from tflite_compress.passes.values import ConvertedModel, Encoding, FloatModel
from tflite_compress.pipeline.candidates import Attempt, best, run_plan
from tflite_compress.pipeline.forecast import Forecast, begin_where_expected, find_forecast
from tflite_compress.pipeline.memo import Memo
from tflite_compress.pipeline.plan import Plan
from tflite_compress.pipeline.recipes import keeps_graph
from tflite_compress.reporting.build_report import build_report
from tflite_compress.reporting.detail_figures import Details
from tflite_compress.reporting.details import collect_details
from tflite_compress.reporting.figures import Memory, ModelFacts
from tflite_compress.reporting.manifest import build_manifest
from tflite_compress.reporting.model import Report, encode_report
from tflite_compress.reporting.pages import result_documents
from tflite_compress.reporting.run_findings import Findings
from tflite_compress.scoring.gpu_score import LIMIT_SECONDS, GpuEvaluation, evaluate_on_gpu
from tflite_compress.support.errors import CompressError, ConversionError
from tflite_compress.support.notes import Note
from tflite_compress.support.staging import MANIFEST, write_file
from tflite_compress.support.step_times import TimedProgress
from tflite_compress.tflite.macs import count_work
from tflite_compress.timing.machine import peak_bytes
from tflite_compress.trees.forest_network import ForestNetwork
from tflite_compress.trees.forest_report import ForestFacts, forest_facts, make_c_files

BASELINE, FOREST_BASELINE = Convert().baseline(), ExportTrees().baseline()
Files = dict[str, bytes]


@dataclass(frozen=True, eq=False)
class Session:
    """A model and its data, ready to be compressed for any number of devices.

    Attributes:
        source: The loaded model.
        spec: Where the data came from.
        options: The run's settings.
        context: What passes may use.
        original: The baseline: the model as plain float32 ``.tflite``.
        memo: Results of passes that devices share.
        checker: Checks files on devices.
        clock: Time of the shared parts of the run.
        timed: Time of the steps so far; also the progress of the context.
        invocation: The command line that asked for it; None from Python.
    """

    source: Source
    spec: DataSpec
    options: Options
    context: Context
    original: bytes
    memo: Memo
    checker: FileChecker
    clock: Clock
    timed: TimedProgress
    invocation: str | None = None

    def run(self, plan: Plan, folder: Path) -> Result:
        """Compress for one device and write its files into ``folder``.

        Raises:
            ConversionError: No recipe of the plan gave a file.
        """
        timed = self.timed.continued()
        own = replace(self, timed=timed, context=replace(self.context, progress=timed))
        return own._run(plan, folder)

    def _run(self, plan: Plan, folder: Path) -> Result:
        clock = Clock(dict(self.clock.seconds))
        with clock.step("passes"):
            forecast, expected = self._forecast(plan)
            attempts, chosen = self._compress(expected)
        report, files, bundle = self._examine(plan, attempts, chosen, forecast, clock)
        return self._write(plan, chosen, report, files, bundle, folder)

    def _forecast(self, plan: Plan) -> tuple[Forecast | None, Plan]:
        """Estimate what a long training costs. Return the plan from the level that is expected to keep."""
        if not (self.options.forecast and self.spec.given):
            return None, plan
        start = FloatModel(self.source.network)
        found = find_forecast(plan, start, self.context, lambda: count_work(self.original).macs)
        return (None, plan) if found is None else (found, begin_where_expected(plan, found, self.context))

    def _compress(self, plan: Plan) -> tuple[list[Attempt], Attempt]:
        """Return the attempts at the plan's candidates, and the one to keep."""
        attempts = run_plan(
            plan,
            FloatModel(self.source.network, notes=self.source.notes),
            self.context,
            self.memo,
            self.options.max_drop,
            self.spec.given,
            lambda model: self._violation(model, plan),
            lambda attempt: self._check_gpu(attempt, plan),
        )
        chosen = best(attempts, self.options.max_drop)
        if chosen is None:
            raise ConversionError(
                f"nothing could be made for {plan.device.name}: {attempts[-1].error}",
                "Choose another recipe or device ('tflite-compress recipes').",
            )
        return attempts, chosen

    def _examine(
        self, plan: Plan, attempts: list[Attempt], chosen: Attempt, forecast: Forecast | None, clock: Clock
    ) -> tuple[Report, Files, Files]:
        """Measure the chosen file. Return the report, the model files and the bundle."""
        progress, options = self.context.progress, self.options
        baseline = self._baseline(plan)
        is_lost = self.spec.given and chosen.drop > options.max_drop
        files, plain_file = self._model_files(chosen, is_lost)
        with clock.step("latency"), progress.step("measuring latency"):
            latency = measure_host_latency(baseline, chosen, self.context.reference, options.latency_seconds)
        with clock.step("fit and bundle"), progress.step("checking on the device's runtime"):
            verdict = self.checker.check(chosen.model.flatbuffer, plan.device, options.limits)
            memory = self._memory(plan, verdict)
            bundle, notes = self._bundle(plan, chosen) if not is_lost else ({}, ())
        forest, code, more = self._forest(plan, chosen, clock)
        bundle |= code if options.bundle and not is_lost else {}
        findings = Findings(
            plan=plan,
            attempts=attempts,
            chosen=chosen,
            reference=self.context.reference,
            baseline=baseline,
            latency=latency,
            verdict=verdict,
            memory=memory,
            model=ModelFacts(name=self.source.network.name, format=self.source.format),
            file=next(iter(files)),
            plain_file=plain_file,
            rule=options.rule,
            is_strict=options.strict,
            has_bundle=bool(bundle),
            is_verified=self.spec.given,
            forecast=forecast,
            forest=forest,
            details=self._details(baseline, chosen, clock),
            notes=(*notes, *more, *self.context.budget.notes),
            command=self.invocation,
            seconds=clock.seconds,
            steps=self.timed.seconds,
            peak_memory_bytes=peak_bytes(),
        )
        return build_report(findings), files, bundle

    def _baseline(self, plan: Plan) -> bytes:
        """Return the float32 file of the original; a forest's tables have types that the device supports."""
        baseline = plan.candidates[0].conversion.baseline()
        if baseline in (BASELINE, FOREST_BASELINE):
            return self.original
        return baseline.apply(FloatModel(self.source.network), self.context).flatbuffer

    def _violation(self, model: ConvertedModel, plan: Plan) -> str | None:
        """Return which of the user's limits a file exceeds; None if it exceeds none."""
        if not self.options.is_limited:
            return None
        return self.checker.find_violation(model.flatbuffer, plan.device, self.options.limits)

    def _check_gpu(self, attempt: Attempt, plan: Plan) -> GpuEvaluation | None:
        """Score a finished file as the device's GPU computes it; None for a device without a GPU."""
        if not plan.device.computes_on_gpu or attempt.outputs is None:
            return None
        limit = min(LIMIT_SECONDS, max(1.0, self.context.budget.left))
        with self.context.progress.step("evaluating in float16 on the GPU accelerator"):
            table = layer_table(attempt.model.network)
            content = attempt.model.for_litert
            network, options = attempt.model.network, self.options
            return evaluate_on_gpu(
                content, self.context.reference, attempt.outputs, table, limit, options.gpu, network
            )

    def _model_files(self, chosen: Attempt, failed: bool) -> tuple[Files, str | None]:
        """Return the files by name, and the name of the plain one if weights are encoded."""
        encoding = chosen.model.find(Encoding)
        stem = f"{self.source.network.name}{'.failed' if failed else ''}"
        files = {f"{stem}.tflite": chosen.model.flatbuffer}
        if encoding is None:
            return files, None
        plain_file = f"{stem}.plain.tflite"
        return {**files, plain_file: encoding.plain}, plain_file

    def _bundle(self, plan: Plan, chosen: Attempt) -> tuple[Files, tuple[Note, ...]]:
        """Return the bundle with notes on it, or a note that says why there is none."""
        if not self.options.bundle:
            return {}, ()
        kept, notes = keeps_graph(chosen.recipe, plan.device), list[Note]()
        named = (plan.device, self.source.network.name, self.spec.preprocess)
        detections = find_detections(self.context.reference, chosen.model.network.joined_outputs)
        try:
            files = self.checker.bundle(chosen.model.flatbuffer, *named, kept, notes.append, detections)
        except CompressError as error:
            return {}, (Note("no-bundle", f"no bundle: {error.message}"),)
        return {f"bundle/{path}": written for path, written in files.items()}, tuple(notes)

    def _forest(
        self, plan: Plan, chosen: Attempt, clock: Clock
    ) -> tuple[ForestFacts | None, Files, tuple[Note, ...]]:
        """Return facts about trees, C code for a microcontroller, and notes; nothing for networks."""
        before, after = self.source.network, chosen.model.network
        if not (isinstance(before, ForestNetwork) and isinstance(after, ForestNetwork)):
            return None, {}, ()
        reference, notes = self.context.reference, before.forest.notes
        with clock.step("C code"), self.context.progress.step("compiling and checking the C code"):
            if plan.device.kind != "microcontroller":
                return forest_facts(before, after.forest, self.original, reference), {}, notes
            files, code, more = make_c_files(before.forest, after, reference)
            facts = forest_facts(before, after.forest, self.original, reference, code)
        return facts, {f"bundle/c/{name}": content for name, content in files.items()}, (*notes, *more)

    def _details(self, baseline: bytes, chosen: Attempt, clock: Clock) -> Details | None:
        """Return operator times and layer errors; None if they were not asked for."""
        budget = self.context.budget
        if self.options.details and budget.is_used:
            budget.cut("times of operators and comparison of layers left out")
            return None
        if not self.options.details:
            return None
        with clock.step("details"):
            return collect_details(baseline, chosen, self.context, self.options.latency_seconds)

    def _memory(self, plan: Plan, verdict: Verdict) -> Memory:
        """Return the RAM of the baseline and of the result on the device."""
        before = None
        if self.options.details:
            before = self.checker.check(self.original, plan.device).measurement("RAM")
        return Memory(baseline=before, result=verdict.measurement("RAM"))

    def _write(
        self, plan: Plan, chosen: Attempt, report: Report, files: Files, bundle: Files, folder: Path
    ) -> Result:
        """Write ``.tflite``, report, manifest and bundle."""
        recipe = msgspec.structs.replace(chosen.recipe, fallbacks=())  # resolved: it needs none any more
        manifest = build_manifest(
            self.source,
            self.context.reference.splits,
            plan.device,
            recipe,
            recorded_arguments(self.source, self.spec, self.options, self.context.budget.has_cut),
            self.options.seed,
            files,
        )
        # Reports hold timings, so their hashes are no part of what a repeated run must match.
        result = Result(plan.device.name, folder / report.file, report, manifest)
        pages: dict[str, str | bytes] = {"report.json": encode_report(report)}
        if self.options.details:
            pages |= result_documents(replace(result.recorded, folder=Path()))
        for file, written in {**files, **bundle, **pages}.items():
            write_file(folder / file, written)
        listed = {**manifest, "files": [*files, *bundle, *pages, MANIFEST]}
        write_file(folder / MANIFEST, json.dumps(listed, indent=2) + "\n")
        return replace(result, manifest=listed)
