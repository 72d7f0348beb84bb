"""Functions about a ``.tflite``: inspect, check, verify, bundle."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tflite_compress.api.library_call import ProgressCallback, library_call
from tflite_compress.api.python_terms import in_python
from tflite_compress.api.tflite_argument import TFLite, file_name, opened_file

if TYPE_CHECKING:
    from tflite_compress.checking.verdict import Verdict
    from tflite_compress.data.sources import DataSource, Preprocess
    from tflite_compress.inspection.inspect_file import Inspection
    from tflite_compress.runtimes.compare import Comparison
    from tflite_compress.scoring.metrics import ScoreFunction
    from tflite_compress.support.input_shape import InputShape


def inspect(model: TFLite, *, input_shape: InputShape | None = None) -> Inspection:
    """Return what a ``.tflite`` contains: operators, types, weights, and bytes per part.

    Args:
        model: The path of a ``.tflite``, or a :class:`TFLiteModel`.
        input_shape: Sizes of the inputs without the batch, for open dimensions: a tuple, or a mapping by
            input name. Open dimensions count as 1 by default.

    Returns:
        Operators with shapes and multiply-accumulates (MACs), weight tensors, and sizes in bytes.

    Raises:
        ModelError: The file is missing, is not a ``.tflite``, or is damaged.

    Examples:
        >>> import tflite_compress as tc
        >>> lite = tc.convert("examples/digits.keras", tc.Float32())
        >>> tc.inspect(lite).bytes == len(lite.content)
        True
    """
    from tflite_compress.inspection.inspect_file import inspect as read

    with library_call(), opened_file(model) as path:
        return replace(read(path, input_shape), path=file_name(model))


def check(
    model: TFLite,
    device: str,
    *,
    max_flash_bytes: int | None = None,
    max_ram_bytes: int | None = None,
    max_latency_ms: float | None = None,
    min_accuracy: float | None = None,
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    resize: bool = False,
    metric: str | ScoreFunction | None = None,
    task: str | None = None,
    head: str | None = None,
    anchors: str | None = None,
    input_shape: InputShape | None = None,
    time_budget_seconds: float | None = None,
    progress: ProgressCallback | None = None,
) -> Verdict:
    """Check whether a ``.tflite`` runs on a device and keeps limits.

    Args:
        model: The path of a ``.tflite``, or a :class:`TFLiteModel`.
        device: Name of a device profile, or path of a TOML file.
        max_flash_bytes: Maximum flash in bytes; the device's own by default.
        max_ram_bytes: Maximum RAM in bytes; the device's own by default.
        max_latency_ms: Maximum latency in ms. Of an estimate, the upper end counts.
        min_accuracy: Minimum accuracy on ``data``, in the metric's unit. For errors such as ``mae`` it is the
            maximum.
        data: Samples ``(x, y)`` with shape (samples, ...), a path, a dataset or a function. Random inputs by
            default.
        preprocess: ``none``, ``unit``, ``symmetric``, or a function.
        resize: Resize images to the model's input.
        metric: Name of a metric, or a function ``(targets, predictions)``; inferred by default.
        task: What the outputs are, such as ``"segmentation"``; of several, names separated by commas;
            inferred by default.
        head: Layout of a detector's outputs, such as ``"yolo-v8"``, or ``module:function``; recognized by
            default.
        anchors: File with the anchors of an SSD, ``.npy`` or ``.csv``: y, x, height and width of each.
        input_shape: Sizes of the inputs without the batch, for open dimensions: a tuple, or a mapping by
            input name. Those of the data by default.
        time_budget_seconds: Time for all runtimes together in seconds. The findings say what was not done.
            None sets no limit.
        progress: Called with each :class:`ProgressUpdate`.

    Returns:
        The verdict: ``fits``, and the findings it follows from.

    Raises:
        ModelError: The file is missing or damaged.
        DataError: The data do not fit the file.
        ConfigError: The device profile cannot be used.

    Examples:
        >>> import tflite_compress as tc
        >>> lite = tc.convert("examples/digits.keras", tc.Float32())
        >>> tc.check(lite, "raspberry-pi-4", max_ram_bytes=2**30).fits
        True
    """
    from tflite_compress.checking.check_file import check_file
    from tflite_compress.checking.verdict import Limits
    from tflite_compress.scoring.joint_output import HeadOptions

    limits = Limits(max_flash_bytes, max_ram_bytes, max_latency_ms)
    with library_call(progress) as reports, opened_file(model) as path:
        settings = (min_accuracy, data, preprocess, metric)
        found = check_file(
            path,
            [device],
            limits,
            *settings,
            progress=reports,
            input_shape=input_shape,
            time_budget_seconds=time_budget_seconds,
            task=task,
            head=HeadOptions(head, anchors),
            resize=resize,
        )[0]
        findings = (replace(f, hint=in_python(f.hint) if f.hint else None) for f in found.findings)
        return replace(found, findings=tuple(findings))


def verify(
    model: TFLite,
    runtimes: Sequence[str] = ("litert", "tflm"),
    *,
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    resize: bool = False,
    samples: int = 16,
    input_shape: InputShape | None = None,
    time_budget_seconds: float | None = None,
    progress: ProgressCallback | None = None,
) -> list[Comparison]:
    """Run a ``.tflite`` on several runtimes and compare their outputs with LiteRT's.

    Args:
        model: The path of a ``.tflite``, or a :class:`TFLiteModel`.
        runtimes: Any of ``litert``, ``litert-reference``, ``litert-web:wasm``, ``litert-web:webgpu``,
            ``tflm``, ``vela:NPU``, ``emulate:DEVICE``, ``ssh:HOST``.
        data: Samples; random inputs by default.
        preprocess: ``none``, ``unit``, ``symmetric``, or a function.
        resize: Resize images to the model's input.
        samples: Maximum number of samples.
        input_shape: Sizes of the inputs without the batch, for open dimensions: a tuple, or a mapping by
            input name. Those of the data by default.
        time_budget_seconds: Time for all runtimes together in seconds. As many samples are run as it allows,
            one at least. None sets no limit.
        progress: Called with each :class:`ProgressUpdate`.

    Returns:
        One comparison per runtime, in the order of ``runtimes``.

    Raises:
        ModelError: The file is missing or damaged.
        DataError: The data do not fit the file.
        UsageError: There is no runtime of that name.

    Examples:
        >>> import tflite_compress as tc
        >>> lite = tc.convert("examples/digits.keras", tc.Float32())
        >>> [c.is_same for c in tc.verify(lite, ["litert-reference"])]
        [True]
    """
    from tflite_compress.checking.check_file import verify_file

    with library_call(progress) as reports, opened_file(model) as path:
        return verify_file(
            path,
            runtimes,
            data,
            preprocess,
            samples,
            progress=reports,
            input_shape=input_shape,
            time_budget_seconds=time_budget_seconds,
            resize=resize,
        )


def bundle(
    model: TFLite,
    device: str | None = None,
    *,
    out: str | os.PathLike[str],
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    resize: bool = False,
    labels: str | os.PathLike[str] | None = None,
    input_shape: InputShape | None = None,
    time_budget_seconds: float | None = None,
    progress: ProgressCallback | None = None,
    format: str | None = None,
    keep_graph: bool = False,
    head: str | None = None,
    anchors: str | None = None,
) -> Path:
    """Write the source files and test vectors to deploy a ``.tflite`` on a device.

    Args:
        model: The path of a ``.tflite``, or a :class:`TFLiteModel`.
        device: Name of a device profile, or path of a TOML file. Microcontrollers get C++, phones Kotlin,
            Linux boards a Python program, browsers a page. Needed if ``format`` is not ``web``.
        out: Folder to write. An earlier bundle in it is replaced.
        data: Samples for the test vectors; random inputs by default.
        preprocess: ``none``, ``unit``, ``symmetric``, or a function. The bundle names the function, which you
            port to the device.
        resize: Resize images to the model's input.
        labels: Text file with one class name per line.
        input_shape: Sizes of the inputs without the batch, for open dimensions: a tuple, or a mapping by
            input name. Those of the data by default.
        time_budget_seconds: Time for the runtimes in seconds. With less time than they need, the bundle has
            one test vector and an upper bound of the arena. None sets no limit.
        progress: Called with each :class:`ProgressUpdate`.
        format: Format of the bundle: ``android``, ``cpp``, ``linux`` or ``web``. That of the device by
            default.
        keep_graph: Deploy one file also where a GPU refuses its post-processing. By default that is a file of
            its own, which the bundle's code runs on the CPU.
        head: Layout of a detector's outputs, such as ``"yolo-v8"``, or ``module:function``. The bundle gets
            its decoding. Recognized where labels are boxes.
        anchors: File with the anchors of an SSD, ``.npy`` or ``.csv``: y, x, height and width of each.

    Returns:
        The folder.

    Raises:
        ModelError: The file is missing, damaged, or refused by the runtime.
        DataError: The outputs do not fit the head.
        OutputError: The folder cannot be written, or holds other files.

    Examples:
        >>> import tempfile
        >>> import tflite_compress as tc
        >>> lite = tc.convert("examples/digits.keras", tc.Float32())
        >>> (tc.bundle(lite, "raspberry-pi-4", out=tempfile.mkdtemp()) / "README.md").is_file()
        True
    """
    from tflite_compress.bundling.bundle_file import bundle_file
    from tflite_compress.scoring.joint_output import HeadOptions

    with library_call(progress) as reports, opened_file(model) as path:
        settings = (data, preprocess, labels, out, reports, input_shape, format, time_budget_seconds)
        return bundle_file(path, device, *settings, keep_graph, resize, HeadOptions(head, anchors))
