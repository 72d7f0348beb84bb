"""What commands do alike: print JSON, describe data and devices."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tflite_compress.cli.shared_options import DataOptions, DeviceOptions

if TYPE_CHECKING:
    from tflite_compress.data.gather import DataSpec
    from tflite_compress.runtimes.by_name import Remote


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
