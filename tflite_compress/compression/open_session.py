"""Open a session: load model and data, run the original, and make the baseline."""

from __future__ import annotations

from dataclasses import replace

from tflite_compress.checking.fit_result import FileChecker
from tflite_compress.compression.checkpoints import find_checkpoints
from tflite_compress.compression.clock import Clock
from tflite_compress.compression.keras_source import keras_source
from tflite_compress.compression.options import Options
from tflite_compress.compression.session import BASELINE, FOREST_BASELINE, Session
from tflite_compress.data.gather import DataSpec, gather_fixed
from tflite_compress.passes.base import Context
from tflite_compress.passes.slim import Slim
from tflite_compress.passes.values import FloatModel
from tflite_compress.pipeline.memo import Memo
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.progress import Progress
from tflite_compress.support.staging import full_disk
from tflite_compress.support.step_times import TimedProgress
from tflite_compress.support.time_budget import TimeBudget
from tflite_compress.trees.forest_network import ForestNetwork, forest_source
from tflite_compress.trees.forest_report import with_choosing_samples
from tflite_compress.trees.load_forest import is_forest

CONVERSION_BYTES = 8  # of temporary files for each weight: the converter goes by way of a SavedModel


def open_session(model: object, spec: DataSpec, options: Options, progress: Progress) -> Session:
    """Load model and data, run the original on them, and convert it to float32 for comparison.

    Args:
        model: A path, a Keras model, or a fitted estimator with trees.
        spec: Where the data comes from.
        options: The run's settings.
        progress: Where to report progress.

    Raises:
        CompressError: Model or data are missing, broken, or do not fit each other.
    """
    clock, budget = Clock(), TimeBudget(options.time_budget_seconds)
    timed = progress = TimedProgress(progress)
    forest = is_forest(model)
    with (
        clock.step("load"),
        progress.step(f"loading {'the forest' if forest else 'TensorFlow and the model'}"),
    ):
        source = forest_source(model, options.trust_model) if forest else keras_source(model, options)
    if scarce := full_disk(CONVERSION_BYTES * source.network.parameter_count()):
        raise scarce
    with clock.step("data"), progress.step("reading the data"):
        network, splits = gather_fixed(spec, source.network, options.seed, options.input_shape)
        source = replace(source, network=network)
        if isinstance(source.network, ForestNetwork) and spec.given:
            splits = with_choosing_samples(splits, spec.calibrate is not None, options.seed)
    with clock.step("original"), progress.step("running the original model"):
        reference = make_reference(
            source.network,
            splits,
            source.loss,
            options.metric,
            options.loss,
            options.task,
            options.head_options,
        )
        _ = reference.score
    checkpoints = find_checkpoints(source, splits, options)
    context = Context(reference, options.seed, progress, checkpoints, options.max_drop, budget)
    with clock.step("baseline"):
        baseline = (FOREST_BASELINE if forest else BASELINE).apply(FloatModel(source.network), context)
        if not forest:
            baseline = Slim().apply_for_comparison(baseline, context)
    names = tuple(tensor.name for tensor in source.network.inputs)
    checker = FileChecker(splits.evaluate, names, options.gpu)
    return Session(source, spec, options, context, baseline.flatbuffer, Memo(), checker, clock, timed)
