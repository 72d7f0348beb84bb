"""Apply passes to a model, chain them, and convert: ``apply``, ``chain``, ``convert``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tflite_compress.api.conversions import Int8
from tflite_compress.api.library_call import ProgressCallback, library_call
from tflite_compress.api.pass_arguments import checked_pass, require_data, require_network_pass
from tflite_compress.api.pass_run import PassRun
from tflite_compress.api.tflite_model import TFLiteModel
from tflite_compress.passes import ConvertedModel, Domain, PassConfig, Stage
from tflite_compress.pipeline.recipes import Recipe, check_recipe
from tflite_compress.support.time_budget import TimeBudget

if TYPE_CHECKING:
    from tflite_compress.data.sources import DataSource, Preprocess
    from tflite_compress.models.keras_types import KerasModel
    from tflite_compress.scoring.metrics import ScoreFunction
    from tflite_compress.scoring.reference import LossFunction
    from tflite_compress.support.input_shape import InputShape

_CHAIN = "chain"


def chain(*passes: PassConfig, name: str = _CHAIN) -> Recipe:
    """Return a recipe of passes, for :func:`compress` and :func:`convert`.

    Args:
        passes: Passes in the order they run. Exactly one converts, for example ``Int8()``.
        name: Name of the recipe in reports.

    Returns:
        The recipe, without fallbacks. Passes that rewrite the file (``Slim``) follow the conversion by
        themselves.

    Raises:
        ConfigError: A setting is out of range, the order is wrong, or no pass converts.

    Examples:
        >>> import tflite_compress as tc
        >>> recipe = tc.chain(tc.PruneChannels(0.5), tc.Equalize(), tc.Int8())
        >>> [step.tag() for step in recipe.passes]
        ['prune_channels', 'equalize', 'convert', 'slim']
    """
    from tflite_compress.passes.slim import Slim

    checked = [checked_pass(step) for step in passes]
    is_network = all(step.domain is Domain.NETWORK for step in checked)
    if is_network and not any(step.stage is Stage.SLIM for step in checked):
        place = sum(step.stage < Stage.SLIM for step in checked)
        checked.insert(place, Slim())
    return check_recipe(Recipe(name, "passes chained in Python", tuple(checked)), name)


def apply(
    model: object,
    *passes: PassConfig,
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    device: str | None = None,
    max_drop: float = 0.01,
    loss: str | LossFunction | None = None,
    metric: str | ScoreFunction | None = None,
    task: str | None = None,
    head: str | None = None,
    anchors: str | None = None,
    custom_objects: Mapping[str, object] | None = None,
    cut: str | None = None,
    time_budget_seconds: float | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> Any:
    """Apply passes to a Keras model and return a Keras model.

    Args:
        model: A functional or sequential model of Keras 3 or tf_keras, or the path of one.
        passes: Passes that change the network, for example ``PruneChannels(target_macs=0.5)``.
        data: Training samples ``(x, y)`` with shape (samples, ...), a path, a ``tf.data.Dataset``, or a
            function that returns one of them. Without labels, the network is trained to imitate ``model``.
        preprocess: ``none``, ``unit``, ``symmetric``, or a function of an input array.
        device: Device whose preferences count, such as multiples of channels; None for none in particular.
        max_drop: Largest accepted accuracy drop, for passes that go as far as it allows: 0.01 is 1 point.
        loss: Loss for fine-tuning: a Keras name or a function; inferred by default.
        metric: Accuracy metric: a name or a function ``(targets, predictions)``; inferred by default.
        task: What the outputs are, such as ``"segmentation"``; of several, names separated by commas;
            inferred by default.
        head: Layout of a detector's outputs, such as ``"yolo-v8"``, or ``module:function``; recognized by
            default.
        anchors: File with the anchors of an SSD, ``.npy`` or ``.csv``: y, x, height and width of each.
        custom_objects: Classes of custom layers by name, for a model given by its path.
        cut: Layers to cut off the start of the model, separated by commas. The data are then for their
            outputs, such as integers instead of text.
        time_budget_seconds: Time for loading and all passes in seconds. When it is used, training and
            choosing stop, and the best so far is kept. A message to ``progress`` names what was cut.
        seed: Seed of everything random. The caller's random state is not changed.
        progress: Called with each :class:`ProgressUpdate`.

    Returns:
        A new functional model of the same Keras, not compiled, that can be trained and saved. ``model`` is
        unchanged. A path gives a Keras 3 model.

    Raises:
        UsageError: A pass converts or needs a conversion.
        DataError: The data are missing or do not fit the model.
        ModelError: The model cannot be changed, or a layer cannot be rebuilt in Keras 3.

    Examples:
        >>> import tflite_compress as tc
        >>> once = tc.Training(epochs=0, min_steps=1)
        >>> data = "examples/digits.npz"
        >>> pruning = tc.PruneChannels(0.5, rounds=1, recovery_steps=0, samples=64, training=once)
        >>> small = tc.apply("examples/digits.keras", pruning, data=data)
        >>> small.count_params() > 0
        True
    """
    from tflite_compress.data.gather import DataSpec
    from tflite_compress.models.bridge_back import is_keras3, to_keras3
    from tflite_compress.models.cut import cut_model, split_names
    from tflite_compress.scoring.joint_output import HeadOptions
    from tflite_compress.support.backend import tf_keras

    steps = tuple(require_network_pass(checked_pass(step)) for step in passes)
    spec = DataSpec(data, preprocess=preprocess)
    budget = TimeBudget(time_budget_seconds)
    heads = HeadOptions(head, anchors)
    run = PassRun(spec, seed, max_drop, loss, metric, custom_objects, budget=budget, task=task, head=heads)
    with library_call(progress) as reports:
        require_data(steps, run.spec)
        if isinstance(model, str | os.PathLike):
            start, run = model, replace(run, cut=cut)
        else:  # settings of layers and nesting of inputs come from the part that is left
            start, _ = cut_model(model, split_names(cut))
        made = run.transform(start, steps, Int8(), device, reports)
        for note in budget.notes:
            reports.say(note.text)
        network = made.network.handle
        if isinstance(start, tf_keras().Model):
            return network
        original = cast("KerasModel", start) if is_keras3(start) else None
        return to_keras3(network, original)


def convert(
    model: object,
    conversion: PassConfig | Recipe | None = None,
    *,
    calibration: DataSource | None = None,
    preprocess: Preprocess = "none",
    device: str | None = None,
    task: str | None = None,
    head: str | None = None,
    anchors: str | None = None,
    custom_objects: Mapping[str, object] | None = None,
    input_shape: InputShape | None = None,
    cut: str | None = None,
    time_budget_seconds: float | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> TFLiteModel:
    """Convert a Keras model to a ``.tflite`` in memory.

    Args:
        model: A model of Keras 3 or tf_keras, or the path of one.
        conversion: ``Int8()``, ``Float16()``, ``Int16x8()``, ``Dynamic()``, ``Float32()``, or a recipe from
            :func:`chain`. ``Int8()`` by default.
        calibration: Representative samples with shape (samples, ...), a path, a dataset or a function.
            Needed by ``Int8`` and ``Int16x8``. Some hundred samples are enough.
        preprocess: ``none``, ``unit``, ``symmetric``, or a function of an input array.
        device: Device whose preferences count, such as integer inputs and outputs; None for float32 ones.
        task: What the outputs are, such as ``"segmentation"``; of several, names separated by commas;
            inferred by default.
        head: Layout of a detector's outputs, such as ``"yolo-v8"``, or ``module:function``; recognized by
            default.
        anchors: File with the anchors of an SSD, ``.npy`` or ``.csv``: y, x, height and width of each.
        custom_objects: Classes of custom layers by name, for a model given by its path.
        input_shape: Sizes of the inputs without the batch, for open dimensions: a tuple, or a mapping by
            input name. Those of the data by default; without data they stay open.
        cut: Layers to cut off the start of the model, separated by commas. Calibration samples are then
            for their outputs.
        time_budget_seconds: Time for loading and all passes in seconds. When it is used, training and
            choosing stop, and the best so far is kept. A note of the result names what was cut. The
            conversion itself still runs.
        seed: Seed of everything random. The caller's random state is not changed.
        progress: Called with each :class:`ProgressUpdate`.

    Returns:
        The model in memory; :meth:`TFLiteModel.save` writes it.

    Raises:
        DataError: Calibration samples are missing or do not fit the model.
        ModelError: The model cannot be loaded.
        ConversionError: The converter refuses the model.

    Examples:
        >>> import tflite_compress as tc
        >>> lite = tc.convert("examples/digits.keras", tc.Int8(), calibration="examples/digits.npz")
        >>> len(lite.content) < 120_000
        True
    """
    from tflite_compress.data.gather import DataSpec
    from tflite_compress.scoring.joint_output import HeadOptions

    chosen = Int8() if conversion is None else conversion
    recipe = chosen if isinstance(chosen, Recipe) else chain(chosen)
    spec = DataSpec(calibrate=calibration, preprocess=preprocess)
    budget = TimeBudget(time_budget_seconds)
    run = PassRun(
        spec,
        seed,
        custom_objects=custom_objects,
        input_shape=input_shape,
        cut=cut,
        budget=budget,
        task=task,
        head=HeadOptions(head, anchors),
    )
    with library_call(progress) as reports:
        require_data(recipe.passes, run.spec)
        made = run.transform(model, recipe.passes, recipe.conversion, device, reports)
    assert isinstance(made, ConvertedModel)  # a recipe has a conversion
    return TFLiteModel(made.flatbuffer, _model_name(model), (*made.notes, *budget.notes))


def _model_name(model: object) -> str:
    return Path(model).stem if isinstance(model, str | os.PathLike) else str(getattr(model, "name", "model"))
