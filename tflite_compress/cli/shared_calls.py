"""What commands do alike: print JSON, write pages, describe data and devices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tflite_compress.cli.shared_options import DataOptions, DeviceOptions, OutputOptions, PageOptions

if TYPE_CHECKING:
    from tflite_compress.data.gather import DataSpec
    from tflite_compress.reporting.facts_page import FactsPage
    from tflite_compress.runtimes.by_name import Remote


def print_json(record: object) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(record, indent=2))


def check_page(page: PageOptions) -> None:
    """Check that the page can be written, before a command takes its time.

    Raises:
        OutputError: It cannot be written.
    """
    if page.html is not None:
        from tflite_compress.support.staging import require_replaceable

        require_replaceable(Path(page.html))


def write_page(path: str, output: OutputOptions, page: FactsPage) -> None:
    """Write a page, whole or not at all.

    Args:
        path: The file.
        output: With ``json``, nothing is printed about it.
        page: The page.
    """
    from tflite_compress.reporting.facts_page import facts_html
    from tflite_compress.support.staging import replace_file

    replace_file(Path(path), facts_html(page))
    if not output.json:
        print(f"page: {path}")


def data_spec(data: DataOptions) -> DataSpec:
    """Return the data sources that options name."""
    from tflite_compress.data.gather import DataSpec

    return DataSpec(
        data.data, data.train, data.calibrate, data.eval, data.preprocess, data.resize, data.unlabelled
    )


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
