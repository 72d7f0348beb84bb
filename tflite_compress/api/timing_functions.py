"""Functions that measure the latency of a ``.tflite``: benchmark, profile."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from tflite_compress.api.library_call import ProgressCallback, library_call
from tflite_compress.api.tflite_argument import TFLite, file_name, opened_file

if TYPE_CHECKING:
    from tflite_compress.data.sources import DataSource, Preprocess
    from tflite_compress.support.input_shape import InputShape
    from tflite_compress.timing.benchmark import Benchmark
    from tflite_compress.timing.profile import Profile


def benchmark(
    *models: TFLite,
    threads: Sequence[int] = (1,),
    runtime: str = "litert",
    kernels: Sequence[str] = ("xnnpack", "no-delegate"),
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    resize: bool = False,
    seconds: float = 2.0,
    batches: Sequence[int] = (),
    input_shape: InputShape | None = None,
    time_budget_seconds: float | None = None,
    progress: ProgressCallback | None = None,
) -> Benchmark:
    """Measure the latency of ``.tflite`` files, interleaved, and compare them with the first.

    Args:
        models: Paths of ``.tflite`` files, or :class:`TFLiteModel` objects.
        threads: Numbers of CPU threads.
        runtime: ``litert`` or ``tflm`` on this machine, or ``ssh:HOST``.
        kernels: Kernels of ``litert``: any of ``xnnpack``, ``no-delegate``, ``reference``.
        data: A sample to run; random inputs by default.
        preprocess: ``none``, ``unit``, ``symmetric``, or a function.
        resize: Resize images to the model's input.
        seconds: Approximate time to measure each file with each setting, in seconds.
        batches: Batch sizes to measure throughput at, in samples.
        input_shape: Sizes of the inputs without the batch, for open dimensions: a tuple, or a mapping by
            input name. Those of the data by default.
        time_budget_seconds: Time for everything in seconds. When it is used, what was timed is kept, and a
            note says what is missing.
        progress: Called with each :class:`ProgressUpdate`.

    Returns:
        Latencies in ms with confidence intervals, and ratios to the first file.

    Raises:
        ModelError: A file is missing or damaged.
        UsageError: A setting is unknown, or no model is given.

    Examples:
        >>> import tflite_compress as tc
        >>> lite = tc.convert("examples/digits.keras", tc.Float32())
        >>> tc.benchmark(lite, seconds=0.05, kernels=["xnnpack"]).timings[0].summary.median_ms.value > 0
        True
    """
    from tflite_compress.timing.benchmark import benchmark as measure

    with library_call(progress) as reports, contextlib.ExitStack() as stack:
        paths = [stack.enter_context(opened_file(model)) for model in models]
        return measure(
            *paths,
            threads=threads,
            runtime=runtime,
            kernels=kernels,
            data=data,
            preprocess=preprocess,
            seconds=seconds,
            batches=batches,
            progress=reports,
            input_shape=input_shape,
            time_budget_seconds=time_budget_seconds,
            resize=resize,
        )


def profile(
    model: TFLite,
    *,
    threads: int = 1,
    kernels: Literal["xnnpack", "no-delegate", "reference"] = "xnnpack",
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    resize: bool = False,
    seconds: float = 5.0,
    input_shape: InputShape | None = None,
    time_budget_seconds: float | None = None,
    progress: ProgressCallback | None = None,
) -> Profile:
    """Measure the latency of each operator of a ``.tflite`` on this machine.

    Args:
        model: The path of a ``.tflite``, or a :class:`TFLiteModel`.
        threads: CPU threads.
        kernels: Kernels of LiteRT.
        data: A sample to run; random inputs by default.
        preprocess: ``none``, ``unit``, ``symmetric``, or a function.
        resize: Resize images to the model's input.
        seconds: Approximate time for everything, in seconds. Models with many operators, or slow ones, are
            timed in groups of operators.
        input_shape: Sizes of the inputs without the batch, for open dimensions: a tuple, or a mapping by
            input name. Those of the data by default.
        time_budget_seconds: Time for everything in seconds. When it is used, what was timed is kept, and a
            note says what is missing.
        progress: Called with each :class:`ProgressUpdate`.

    Returns:
        One row per operator or group with its time in ms, MACs, and what this machine could reach.

    Raises:
        ModelError: The file is missing or damaged, or the runtime refuses it.
        TimeUsedError: The time budget was used before the model was loaded and run.

    Examples:
        >>> import tflite_compress as tc
        >>> lite = tc.convert("examples/digits.keras", tc.Float32())
        >>> found = tc.profile(lite, seconds=0.1)
        >>> len(found.rows) == len(tc.inspect(lite).operators)
        True
    """
    from tflite_compress.timing.profile import profile as measure

    with library_call(progress) as reports, opened_file(model) as path:
        settings = (threads, kernels, data, preprocess, seconds, reports, input_shape, time_budget_seconds)
        found = measure(path, *settings, resize)
        return replace(found, name=file_name(model))
