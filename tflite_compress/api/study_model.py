"""``diagnose`` and ``search``: why quantization costs accuracy, and the best files for a device."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tflite_compress.api.library_call import ProgressCallback, library_call
from tflite_compress.api.python_terms import in_python

if TYPE_CHECKING:
    from tflite_compress.data.sources import DataSource, Preprocess
    from tflite_compress.diagnosis.diagnose import Diagnosis
    from tflite_compress.runtimes.gpu_driver import GpuDriver
    from tflite_compress.scoring.metrics import ScoreFunction
    from tflite_compress.searching.search_result import SearchResult
    from tflite_compress.support.input_shape import InputShape


def diagnose(
    model: object,
    device: str,
    recipe: str | None = None,
    *,
    data: DataSource,
    preprocess: Preprocess = "none",
    task: str | None = None,
    metric: str | ScoreFunction | None = None,
    head: str | None = None,
    anchors: str | None = None,
    overrides: Mapping[str, object] | None = None,
    custom_objects: str | Mapping[str, object] | None = None,
    input_shape: InputShape | None = None,
    cut: str | None = None,
    seed: int = 0,
    gpu: GpuDriver = "software",
    time_budget_seconds: float | None = None,
    progress: ProgressCallback | None = None,
) -> Diagnosis:
    """Quantize a model without training and find what that costs: data, layers, causes.

    Args:
        model: A model of Keras 3 or tf_keras, or the path of one.
        device: Name of a device profile, or path of a TOML file.
        recipe: Name of a recipe; the device's by default. A recipe that keeps floats stands for int8.
        data: Samples ``(x, y)`` or ``x`` with shape (samples, ...), a path, a dataset or a function.
        preprocess: ``none``, ``unit``, ``symmetric``, or a function of an input array.
        task: What the outputs are, such as ``"segmentation"``; of several, names separated by commas;
            inferred by default.
        metric: Accuracy metric: a name or a function ``(targets, predictions)``; inferred by default.
        head: Layout of a detector's outputs, such as ``"yolo-v8"``, or ``module:function``; recognized by
            default.
        anchors: File with the anchors of an SSD, ``.npy`` or ``.csv``: y, x, height and width of each.
        overrides: Settings of the recipe to change.
        custom_objects: Classes of custom layers by name, or ``module:dict``.
        input_shape: Sizes of the inputs without the batch, for open dimensions: a tuple, or a mapping by
            input name. Those of the data by default.
        cut: Layers to cut off the start of the model, separated by commas. The data are then for their
            outputs.
        seed: Seed of everything random. The caller's random state is not changed.
        gpu: What computes in float16 for a phone's GPU: ``software``, or ``device`` for the machine's.
        time_budget_seconds: Time for the whole run in seconds. When it is used, layers are compared on fewer
            samples. None sets no limit.
        progress: Called with each :class:`ProgressUpdate`.

    Returns:
        The accuracy drop, suspicious data, and each layer's quantization noise.

    Raises:
        DataError: The data are missing or do not fit the model.
        ModelError: The model cannot be loaded, or is a forest.

    Examples:
        >>> import tflite_compress as tc
        >>> found = tc.diagnose("examples/digits.keras", "rp2040", data="examples/digits.npz")
        >>> found.precision, found.drop < 0.01
        ('int8', True)
    """
    from tflite_compress.compression.options import make_options
    from tflite_compress.data.gather import DataSpec
    from tflite_compress.diagnosis.diagnose import diagnose as run

    options = {
        "task": task,
        "metric": metric,
        "head": head,
        "anchors": anchors,
        "custom_objects": custom_objects,
        "input_shape": input_shape,
        "cut": cut,
        "seed": seed,
        "gpu": gpu,
        "time_budget_seconds": time_budget_seconds,
        "resume": None,
    }
    with library_call(progress) as reports:
        spec = DataSpec(data, preprocess=preprocess)
        found = run(model, device, recipe, spec, make_options(options), dict(overrides or {}), reports)
        inputs = tuple(replace(finding, do=in_python(finding.do)) for finding in found.inputs)
        culprits = tuple(replace(culprit, do=in_python(culprit.do)) for culprit in found.culprits)
        return replace(found, inputs=inputs, culprits=culprits)


def search(
    model: object,
    device: str,
    *,
    data: DataSource,
    evaluate: DataSource | None = None,
    unlabelled: DataSource | None = None,
    preprocess: Preprocess = "none",
    out: str | os.PathLike[str] | None = None,
    minimize: Sequence[str] = ("size", "latency"),
    time_budget_seconds: float = 1800.0,
    trials: int | None = None,
    workers: int = 1,
    max_drop: float = 0.01,
    confidence: float = 0.95,
    strict: bool = False,
    task: str | None = None,
    metric: str | ScoreFunction | None = None,
    head: str | None = None,
    anchors: str | None = None,
    max_flash_bytes: int | None = None,
    max_ram_bytes: int | None = None,
    input_shape: InputShape | None = None,
    cut: str | None = None,
    seed: int = 0,
    restart: bool = False,
    ledger: str | os.PathLike[str] | None = None,
    progress: ProgressCallback | None = None,
) -> SearchResult:
    """Search for the best files within an accuracy drop, limits on memory, and a time budget.

    If the search is interrupted, call it again with the same arguments to resume it. Its state is kept in
    the folder ``OUT.search``.

    Args:
        model: Path of a model, or a Keras model (then with one worker, in this process).
        device: Name of a device profile, or path of a TOML file.
        data: Samples ``(x, y)`` with shape (samples, ...), a path, a dataset or a function.
        evaluate: Evaluation samples, as a separate source.
        unlabelled: More samples for training, whose labels are not read: the model's own answers are learned.
        preprocess: ``none``, ``unit``, ``symmetric``, or a function of an input array.
        out: Folder for the result; ``searched/MODEL-DEVICE`` by default.
        minimize: Objectives: any of ``size``, ``gzip``, ``latency``, ``ram``, ``flash``, ``macs``, ``drop``.
        time_budget_seconds: Time limit in seconds, including earlier calls of an unfinished search.
        trials: Maximum number of trials; None for no limit.
        workers: Number of worker processes.
        max_drop: Largest accepted accuracy drop: 0.01 is 1 point.
        confidence: Confidence of the intervals of the accuracy drop.
        strict: Choose only among files for which the samples establish that the drop is accepted.
        task: What the outputs are, such as ``"segmentation"``; of several, names separated by commas;
            inferred by default.
        metric: Accuracy metric: a name or a function ``(targets, predictions)``; inferred by default.
        head: Layout of a detector's outputs, such as ``"yolo-v8"``, or ``module:function``; recognized by
            default.
        anchors: File with the anchors of an SSD, ``.npy`` or ``.csv``: y, x, height and width of each.
        max_flash_bytes: Maximum flash in bytes.
        max_ram_bytes: Maximum RAM in bytes.
        input_shape: Sizes of the inputs without the batch, for open dimensions: a tuple, or a mapping by
            input name. Those of the data by default.
        cut: Layers to cut off the start of the model, separated by commas. The data are then for their
            outputs.
        seed: Seed of everything random. The caller's random state is not changed.
        restart: Delete the state of an earlier search.
        ledger: SQLite file that records the chosen file; None records nothing.
        progress: Called with each :class:`ProgressUpdate`.

    Returns:
        The result; ``chosen`` is None if no file keeps accuracy and limits.

    Raises:
        UsageError: A setting is not valid.
        DataError: The data are missing or do not fit the model.
        OutputError: ``out`` cannot be written, or holds other files.

    Examples:
        >>> import tflite_compress as tc
        >>> tc.search("m.keras", "rp2040", data="d.npz", time_budget_seconds=0)
        Traceback (most recent call last):
        tflite_compress.support.errors.UsageError: time_budget_seconds: expected a time above 0
        For example time_budget_seconds=1800.
    """
    from tflite_compress.reporting.ledger import OFF
    from tflite_compress.searching.search import SearchSettings
    from tflite_compress.searching.search import search as run

    with library_call(progress) as reports:
        settings = SearchSettings(tuple(minimize), time_budget_seconds, trials, workers, restart=restart)
        return run(
            model,
            device,
            data=data,
            evaluate=evaluate,
            unlabelled=unlabelled,
            preprocess=preprocess,
            settings=settings,
            out=out,
            progress=reports,
            ledger=OFF if ledger is None else os.fspath(ledger),
            max_drop=max_drop,
            confidence=confidence,
            strict=strict,
            task=task,
            metric=metric,
            head=head,
            anchors=anchors,
            max_flash_bytes=max_flash_bytes,
            max_ram_bytes=max_ram_bytes,
            input_shape=input_shape,
            cut=cut,
            seed=seed,
            resume=None,
        )
