"""A diagnosis: data, accuracy, layers, culprits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tflite_compress.compression.compress import Options
from tflite_compress.data.gather import DataSpec
from tflite_compress.diagnosis.culprits import Culprit, culprits
from tflite_compress.diagnosis.inputs import InputFinding, input_findings
from tflite_compress.diagnosis.layers import Layer, compare_layers, unmatched
from tflite_compress.pipeline.plan import make_plan
from tflite_compress.pipeline.recipes import Overrides
from tflite_compress.support.errors import DataError
from tflite_compress.support.progress import Progress
from tflite_compress.trees.load_forest import require_network

COMPARED_SAMPLES = 64
QUIET_DROP = 0.003


@dataclass(frozen=True)
class Diagnosis:
    """What quantization costs and why.

    Attributes:
        precision: The type quantized to.
        metric: What counts as accuracy.
        before, after: Accuracy of the float model and of the quantized file.
        drop: How much worse that is.
        inputs: Suspicions about the data, worst first.
        layers: Every layer, in order of execution.
        culprits: Layers that add most noise, worst first.
        notes: What to know besides.
    """

    precision: str
    metric: str
    before: float
    after: float
    drop: float
    inputs: tuple[InputFinding, ...]
    layers: tuple[Layer, ...]
    culprits: tuple[Culprit, ...]
    notes: tuple[str, ...]

    @property
    def harmless(self) -> bool:
        """True where quantization costs next to nothing."""
        return self.drop <= QUIET_DROP

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def diagnose(
    model: Any,
    device: str,
    recipe: str | None,
    spec: DataSpec,
    options: Options,
    overrides: Overrides,
    progress: Progress,
) -> Diagnosis:
    """Quantize a model as a recipe would, without training, and find out what that does to it.

    Args:
        model: A path or a Keras model.
        device: Device profile.
        recipe: Recipe; the device's by default. One that does not quantize stands for int8.
        spec: The data.
        options: Settings of the run.
        overrides: Settings of the recipe to change.
        progress: Where to report progress.

    Raises:
        CompressError: Something the user can mend.
    """
    from tflite_compress.compression.session import open_session
    from tflite_compress.conversion.converter import ConverterSettings, convert_network
    from tflite_compress.models.unroll import unrolled
    from tflite_compress.runtimes.litert import predict

    require_network(model, "diagnose")
    plan = make_plan(device, recipe, overrides)
    if not spec.given or spec.only_evaluation:
        raise DataError(
            "diagnose needs data to calibrate with",
            "Give --data=FILE.npz, a folder of images or module:function.",
        )
    conversion = plan.candidates[0].conversion
    notes = []
    precision, per_channel = conversion.precision, conversion.per_channel
    if precision in ("float32", "float16"):
        notes.append(f"recipe '{plan.candidates[0].name}' keeps {precision}; int8 was looked at instead")
        precision, per_channel = "int8", True
    config = ConverterSettings(precision, per_channel=per_channel)
    session = open_session(model, spec, options, progress)
    reference = session.context.reference
    with progress.step("looking at the data"):
        inputs = input_findings(reference)
    network = unrolled(session.source.network)
    samples = reference.splits.calibrate.inputs
    with progress.step(f"converting to {config.precision}", len(samples[0])) as advance:
        plain, _ = convert_network(network, ConverterSettings(precision="float32"), samples, lambda n: None)
        quantized, remarks = convert_network(network, config, samples, advance)
    evaluate = reference.splits.evaluate
    with progress.step("evaluating"):
        score = reference.score_of(predict(quantized, evaluate.inputs, *network.tensor_names))
    few = evaluate.take(np.arange(min(COMPARED_SAMPLES, len(evaluate))))
    with progress.step("comparing layer by layer"):
        layers = compare_layers(plain, quantized, few.inputs, network.tensor_names[0])
    missing = unmatched(plain, quantized)
    if missing:
        notes.append(f"not compared, since the converter rearranged them: {', '.join(missing)}")
    return Diagnosis(
        config.precision,
        reference.metric_name,
        reference.score.value,
        score.value,
        reference.drop_of(score),
        tuple(inputs),
        tuple(layers),
        tuple(culprits(layers)),
        (*notes, *(remark.text for remark in remarks)),
    )
