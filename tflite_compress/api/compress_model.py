"""``compress``: a model, a device and data give a ``.tflite`` with a report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tflite_compress.api.compress_devices import compress_many
from tflite_compress.api.library_call import ProgressCallback

if TYPE_CHECKING:
    from tflite_compress.compression.options import Result
    from tflite_compress.data.sources import DataSource, Preprocess
    from tflite_compress.pipeline.recipes import Recipe
    from tflite_compress.runtimes.gpu_driver import GpuDriver
    from tflite_compress.scoring.metrics import ScoreFunction
    from tflite_compress.scoring.reference import LossFunction
    from tflite_compress.support.input_shape import InputShape


def compress(
    model: object,
    device: str,
    recipe: str | Recipe | None = None,
    *,
    data: DataSource | None = None,
    train: DataSource | None = None,
    calibrate: DataSource | None = None,
    evaluate: DataSource | None = None,
    unlabelled: DataSource | None = None,
    preprocess: Preprocess = "none",
    resize: bool = False,
    out: str | os.PathLike[str] | None = None,
    max_drop: float = 0.01,
    confidence: float = 0.95,
    strict: bool = False,
    task: str | None = None,
    metric: str | ScoreFunction | None = None,
    head: str | None = None,
    anchors: str | None = None,
    loss: str | LossFunction | None = None,
    max_flash_bytes: int | None = None,
    max_ram_bytes: int | None = None,
    overrides: Mapping[str, object] | None = None,
    custom_objects: str | Mapping[str, object] | None = None,
    input_shape: InputShape | None = None,
    cut: str | None = None,
    trust_model: bool = False,
    seed: int = 0,
    gpu: GpuDriver = "software",
    latency_seconds: float = 1.0,
    time_budget_seconds: float | None = None,
    forecast: bool = True,
    bundle: bool = True,
    details: bool = True,
    resume: str | os.PathLike[str] | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: ProgressCallback | None = None,
) -> Result:
    """Compress a Keras model, or decision trees, for a device, and report size, accuracy and latency.

    Args:
        model: A model of Keras 3 or tf_keras; the path of a ``.keras``, ``.h5`` or SavedModel; a fitted
            forest, or the path of one.
        device: Name of a device profile, or path of a TOML file.
        recipe: Name of a recipe, path of a TOML file, or a recipe from :func:`chain`; the device's by
            default.
        data: One source that is split for training, calibration and evaluation: ``(x, y)`` or ``x`` with
            shape (samples, ...), a path, a ``tf.data.Dataset``, or a function that returns one of them.
        train: Training samples, as a separate source.
        calibrate: Calibration samples, as a separate source.
        evaluate: Evaluation samples, as a separate source.
        unlabelled: More samples for training, whose labels are not read: the model's own answers are learned.
        preprocess: ``none``, ``unit``, ``symmetric``, or a function of an input array.
        resize: Resize images to the model's input.
        out: Folder for the result; ``compressed/MODEL-DEVICE`` by default. Nothing is written elsewhere.
        max_drop: Largest accepted accuracy drop: 0.01 is 1 point.
        confidence: Confidence of the intervals of accuracy and of its drop.
        strict: ``passed`` is True only if the samples establish that the drop is accepted.
        task: What the outputs are, such as ``"segmentation"``; of several, names separated by commas;
            inferred by default.
        metric: Accuracy metric: a name or a function ``(targets, predictions)``; inferred by default.
        head: Layout of a detector's outputs, such as ``"yolo-v8"``, or ``module:function``; recognized by
            default.
        anchors: File with the anchors of an SSD, ``.npy`` or ``.csv``: y, x, height and width of each.
        loss: Loss for fine-tuning: a Keras name or a function; inferred by default.
        max_flash_bytes: Maximum flash in bytes. Stronger recipes follow until the result meets it.
        max_ram_bytes: Maximum RAM in bytes.
        overrides: Settings of the recipe to change, for example ``{"sparsity": 0.6}``.
        custom_objects: Classes of custom layers by name, or ``module:dict``.
        input_shape: Sizes of the inputs without the batch, for open dimensions: a tuple, or a mapping by
            input name. Those of the data by default.
        cut: Layers to cut off the start of the model, separated by commas. The data are then for their
            outputs.
        trust_model: Run code that the model file contains.
        seed: Seed of everything random. The caller's random state is not changed.
        gpu: What computes in float16 for a phone's GPU: ``software``, or ``device`` for the machine's.
        latency_seconds: Time to measure latency, in seconds. Operators are timed half as long again.
        time_budget_seconds: Time for the whole run in seconds. When it is used, training and choosing stop,
            and the best so far is kept. None sets no limit.
        forecast: Estimate what pruning costs before a long training, and begin with the strongest level that
            is expected to keep the accuracy. False begins with the level asked for.
        bundle: Write the source files and test vectors for the device.
        details: Also measure operators and layers, and write ``report.html``, ``report.md`` and
            ``MODEL_CARD.md``.
        resume: Folder for training checkpoints. A call with the same model, data and seed continues from
            them. None keeps none.
        ledger: SQLite file that records the run; None records nothing.
        progress: Called with each :class:`ProgressUpdate`. An exception it raises cancels the run: nothing is
            written, and the exception reaches the caller.

    Returns:
        The result. ``passed`` is False if accuracy dropped more than ``max_drop``. ``verdict.kind`` is
        ``not-established`` if there are too few samples to say.

    Raises:
        UsageError: Arguments contradict each other, or the device does not run what the recipe makes.
        DataError: The data are missing or do not fit the model.
        ModelError: The model cannot be loaded or changed.
        OutputError: ``out`` cannot be written, or holds other files.

    Examples:
        >>> import tempfile
        >>> import tflite_compress as tc
        >>> result = tc.compress(
        ...     "examples/digits.keras", "rp2040", data="examples/digits.npz", out=tempfile.mkdtemp(),
        ...     details=False, latency_seconds=0.05,
        ... )
        >>> result.passed, result.fits
        (True, True)
    """
    return compress_many(
        model,
        [device],
        recipe,
        data=data,
        train=train,
        calibrate=calibrate,
        evaluate=evaluate,
        unlabelled=unlabelled,
        preprocess=preprocess,
        resize=resize,
        out=out,
        max_drop=max_drop,
        confidence=confidence,
        strict=strict,
        task=task,
        metric=metric,
        head=head,
        anchors=anchors,
        loss=loss,
        max_flash_bytes=max_flash_bytes,
        max_ram_bytes=max_ram_bytes,
        overrides=overrides,
        custom_objects=custom_objects,
        input_shape=input_shape,
        cut=cut,
        trust_model=trust_model,
        seed=seed,
        gpu=gpu,
        latency_seconds=latency_seconds,
        time_budget_seconds=time_budget_seconds,
        forecast=forecast,
        bundle=bundle,
        details=details,
        resume=resume,
        ledger=ledger,
        progress=progress,
    )[0]
