"""Diagnose the accuracy drop of quantization: data, accuracy, layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.compression.options import Options
from tflite_compress.data.gather import DataSpec
from tflite_compress.diagnosis.culprits import Culprit, find_culprits
from tflite_compress.diagnosis.inputs import InputFinding, check_inputs
from tflite_compress.inspection.layer_errors import Layer, compare_layers, unmatched
from tflite_compress.inspection.shared_scale import LostPart, find_lost_parts
from tflite_compress.pipeline.overrides import Overrides
from tflite_compress.pipeline.plan import make_plan
from tflite_compress.pipeline.recipes import Recipe
from tflite_compress.reporting.accuracy_figures import MetricFacts
from tflite_compress.reporting.scores import format_score
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note
from tflite_compress.support.progress import Progress
from tflite_compress.trees.load_forest import require_network

if TYPE_CHECKING:
    from tflite_compress.compression.session import Session
    from tflite_compress.conversion.converter import ConverterSettings

COMPARED_SAMPLES = 64
QUIET_DROP = 0.003
BEYOND = "beyond-float16"
_FLOATS = ("float32", "float16")


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """The accuracy drop of quantization and its reasons.

    Attributes:
        precision: Precision of the quantized file.
        metric: Name of the metric.
        before, after: Accuracy of the float model and of the quantized file.
        drop: Accuracy drop.
        inputs: Suspected problems with the data, worst first.
        layers: Every layer, in order of execution.
        culprits: The layers that add most noise, worst first.
        notes: Other facts about the diagnosis.
        lost_parts: Parts of concatenations that are lost because all parts share one scale.
        is_share: True if accuracies are shares of samples or decisions, which are shown in %.
        higher_is_better: False for errors such as ``mae``.
    """

    precision: str
    metric: str
    before: float
    after: float
    drop: float
    inputs: tuple[InputFinding, ...]
    layers: tuple[Layer, ...]
    culprits: tuple[Culprit, ...]
    notes: tuple[Note, ...]
    lost_parts: tuple[LostPart, ...] = ()
    is_share: bool = False
    higher_is_better: bool = True

    @property
    def metric_facts(self) -> MetricFacts:
        """The metric, for showing accuracies with its unit."""
        return MetricFacts(name=self.metric, higher_is_better=self.higher_is_better, is_share=self.is_share)

    @property
    def is_harmless(self) -> bool:
        """True if the accuracy drop is at most 0.3 points, and no output is NaN or infinite in float16."""
        return self.drop <= QUIET_DROP and all(note.code != BEYOND for note in self.notes)

    def as_json(self) -> dict[str, object]:
        """Return the diagnosis as JSON values."""
        return {**asdict(self), "notes": [note.text for note in self.notes]}

    def __repr__(self) -> str:
        return f"<Diagnosis: {self._summary()}>"

    def _repr_html_(self) -> str:
        """Return the diagnosis as a line of HTML and a table of the worst layers, for notebooks."""
        rows = "".join(
            f"<tr><td>{escape(c.layer)}</td><td>{escape(c.why)}</td><td>{escape(c.do)}</td></tr>"
            for c in self.culprits
        )
        return f"<p>{escape(self._summary())}</p><table>{rows}</table>"

    def _summary(self) -> str:
        problems = f", {len(self.inputs)} suspected problems with the data" if self.inputs else ""
        worst = f", most noise from {self.culprits[0].layer}" if self.culprits else ""
        before, after = (format_score(self.metric_facts, score) for score in (self.before, self.after))
        figures = f"{self.metric} {before} before, {after} after"
        return f"{self.precision}, {figures}{problems}{worst}"


def diagnose(
    model: object,
    device: str,
    recipe: str | None,
    spec: DataSpec,
    options: Options,
    overrides: Overrides,
    progress: Progress,
) -> Diagnosis:
    """Quantize a model as a recipe does, without training, and compare it with the float model.

    For a GPU and a recipe that keeps floats, the float model is compared with itself in float16.

    Args:
        model: A path or a Keras model.
        device: Device profile.
        recipe: Recipe; the device's by default. One that does not quantize stands for int8.
        spec: The data.
        options: Settings of the run.
        overrides: Settings of the recipe to change.
        progress: Progress of the diagnosis.

    Raises:
        CompressError: Something the user can mend.
    """
    from tflite_compress.compression.open_session import open_session
    from tflite_compress.compression.preflight import check_inputs as check_before

    require_network(model, "diagnose")
    plan = make_plan(device, recipe, overrides)
    _require_data(spec)
    check_before(model, spec, options)
    session = open_session(model, spec, options, progress)
    if plan.device.computes_on_gpu and plan.candidates[0].conversion.precision in _FLOATS:
        from tflite_compress.diagnosis.diagnose_float16 import diagnose_float16

        return diagnose_float16(session)
    return _diagnose_integers(session, plan.candidates[0], progress)


def _diagnose_integers(session: Session, recipe: Recipe, progress: Progress) -> Diagnosis:
    """Compare the model as the recipe's conversion writes it with the float model."""
    from tflite_compress.conversion.converter import ConverterSettings, convert_network
    from tflite_compress.models.layer_table import layer_table
    from tflite_compress.models.unroll import unrolled
    from tflite_compress.runtimes.litert import predict

    config, replaced = _conversion(recipe)
    reference = session.context.reference
    with progress.step("checking the data"):
        inputs = check_inputs(reference)
    network = unrolled(session.source.network)
    table = layer_table(network)
    samples = reference.splits.calibrate.inputs
    with progress.step(f"converting to {config.precision}", len(samples[0])) as advance:
        plain, _ = convert_network(network, ConverterSettings(precision="float32"), samples, lambda n: None)
        quantized, remarks = convert_network(network, config, samples, advance)
    evaluate = reference.splits.evaluate
    with progress.step("evaluating"):
        score = reference.score_of(predict(quantized, evaluate.inputs, *network.tensor_names))
    few = evaluate.take(np.arange(min(COMPARED_SAMPLES, len(evaluate))))
    with progress.step("comparing layer by layer"):
        budget = session.context.budget
        layers = compare_layers(plain, quantized, few.inputs, network.tensor_names[0], table, budget)
    left_out = _left_out(unmatched(plain, quantized, table))
    worst = reference.worst_of(score)
    return Diagnosis(
        config.precision,
        reference.metric_of(worst),
        reference.score.by_output[worst],
        score.by_output[worst],
        reference.drop_of(score),
        tuple(inputs),
        tuple(layers),
        tuple(find_culprits(layers)),
        (*replaced, *left_out, *remarks, *budget.notes),
        tuple(find_lost_parts(layers)) if config.precision == "int8" else (),
        is_share=reference.metrics[worst].is_share,
        higher_is_better=reference.metrics[worst].higher_is_better,
    )


def _require_data(spec: DataSpec) -> None:
    if not spec.given or spec.only_evaluation:
        raise DataError(
            "diagnose needs data to calibrate with",
            "Give --data=FILE.npz, a folder of images or module:function.",
        )


def _left_out(layers: Sequence[str]) -> tuple[Note, ...]:
    text = f"not compared, because the converter rearranged them: {', '.join(layers)}"
    return (Note("layers-not-compared", text),) if layers else ()


def _conversion(recipe: Recipe) -> tuple[ConverterSettings, tuple[Note, ...]]:
    """Return the conversion to diagnose: the recipe's, or int8 with a note if the recipe keeps floats."""
    from tflite_compress.conversion.converter import ConverterSettings

    conversion = recipe.conversion
    if conversion.precision not in _FLOATS:
        return ConverterSettings(conversion.precision, per_channel=conversion.per_channel), ()
    text = f"recipe '{recipe.name}' keeps {conversion.precision}; int8 is diagnosed instead"
    return ConverterSettings("int8"), (Note("precision-replaced", text),)
