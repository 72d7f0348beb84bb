"""What commands do alike: run work with progress bars, print JSON, describe data and devices."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tflite_compress.cli.shared_options import DataOptions, DeviceOptions

if TYPE_CHECKING:
    from tflite_compress.data.gather import DataSpec
    from tflite_compress.runtimes.by_name import Remote
    from tflite_compress.support.progress import Progress

T = TypeVar("T")


def with_progress(work: Callable[[Progress], T]) -> T:
    """Run work with progress bars on the terminal and the log output of native code hidden.

    Args:
        work: Takes the progress to report to.
    """
    from tflite_compress.support.backend import native_noise_captured
    from tflite_compress.support.progress import Terminal

    with native_noise_captured():
        return work(Terminal())


def print_json(record: object) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(record, indent=2))


def data_spec(data: DataOptions) -> DataSpec:
    """Return the data sources that options name."""
    from tflite_compress.data.gather import DataSpec

    return DataSpec(data.data, data.train, data.calibrate, data.eval, data.preprocess, data.resize)


def remote_device(device: DeviceOptions, threads: int) -> Remote:
    """Return how to connect to devices."""
    from tflite_compress.runtimes.by_name import Remote

    return Remote(
        device.port,
        device.remote_python,
        device.remote_folder,
        benchmark_model=device.benchmark_model,
        delegate=device.delegate,
        serial=device.serial,
        threads=threads,
        gpu=device.gpu,
    )
