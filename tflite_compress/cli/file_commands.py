"""Commands about finished files and runs: benchmark, profile, report, runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tflite_compress.cli.command_registry import command
from tflite_compress.cli.option_types import (
    Count,
    Counts,
    Duration,
    File,
    Seconds,
    choices_listed,
)
from tflite_compress.cli.run_log import with_progress
from tflite_compress.cli.shared_calls import check_page, print_json, remote_device, write_page
from tflite_compress.cli.shared_options import (
    DeviceOptions,
    OutputOptions,
    PageOptions,
    SampleOptions,
    ThreadOptions,
)
from tflite_compress.support.errors import UsageError

if TYPE_CHECKING:
    from tflite_compress.timing.benchmark import Benchmark

SECTION = "Work with a .tflite"
RESULTS = "Results"
Kernels = Annotated[tuple[str, ...], choices_listed("xnnpack", "no-delegate", "reference")]


@dataclass(frozen=True)
class BenchmarkOptions:
    """Benchmark.

    Attributes:
        threads: Numbers of CPU threads, for example 1,2,4.
        runtime: litert, tflm or litert-web:wasm on this machine; ssh:HOST or adb on a device; litert-gpu or
            litert-gpu-f32 on this machine's GPU with --gpu=device.
        kernels: Kernels of litert: any of xnnpack, no-delegate, reference, separated by commas.
        seconds: Approximate time to measure each file with each setting.
        batches: Also measure throughput at these batch sizes, for example 1,8,32.
        time_budget: Time for everything, for example 2m. When it is used, what was timed is kept, and a note
            says what is missing.
        from_: Times that a device printed, for example the test of an Android bundle. Nothing is measured
            here. Result folders in place of the models get them into their reports.
    """

    threads: Counts = (1,)
    runtime: str = "litert"
    kernels: Kernels = ("xnnpack", "no-delegate")
    seconds: Seconds = 2.0
    batches: Counts | None = None
    time_budget: Duration | None = None
    from_: File | None = None


@command(
    SECTION,
    "a.tflite b.tflite",
    model="A .tflite file; with --from a result folder, or nothing.",
    others="More .tflite files to compare with it.",
)
def benchmark(
    model: str | None = None,
    *others: str,
    options: BenchmarkOptions,
    samples: SampleOptions,
    remote: DeviceOptions,
    output: OutputOptions,
    page: PageOptions,
) -> int:
    """Measure the latency of .tflite files and compare them with the first.

    The files take turns, each in processes of its own, so that they see the same state of the machine.
    """
    from tflite_compress.reporting import timing_table
    from tflite_compress.timing import benchmark as timing

    check_page(page)
    if options.from_ is not None:
        return _take_times(options.from_, [*([model] if model else []), *others], output, page)
    if model is None:
        raise UsageError("MODEL is missing", "For example: tflite-compress benchmark a.tflite b.tflite")
    found = with_progress(
        lambda progress: timing.benchmark(
            model,
            *others,
            threads=options.threads,
            runtime=options.runtime,
            kernels=options.kernels,
            data=samples.data,
            preprocess=samples.preprocess,
            seconds=options.seconds,
            batches=options.batches or (),
            remote=remote_device(remote, options.threads[0]),
            progress=progress,
            input_shape=samples.input_shape,
            time_budget_seconds=options.time_budget,
            resize=samples.resize,
        )
    )
    if output.json:
        print_json(timing_table.benchmark_record(found))
    else:
        timing_table.print_benchmark(found)
    _write_times(found, output, page)
    return 0 if found.timings or found.on_device else 2


def _write_times(found: Benchmark, output: OutputOptions, page: PageOptions) -> None:
    if page.html is not None:
        from tflite_compress.reporting.benchmark_page import benchmark_page

        write_page(page.html, output, benchmark_page(found))


def _take_times(path: str, folders: list[str], output: OutputOptions, page: PageOptions) -> int:
    """Show times that a device printed, and write them into the reports of result folders."""
    from tflite_compress.reporting import timing_table
    from tflite_compress.reporting.device_times import add_device_times
    from tflite_compress.timing.device_report import read_device_report

    times = read_device_report(path)
    added = {folder: add_device_times(folder, times) for folder in folders}
    _write_times(times, output, page)
    if output.json:
        print_json(timing_table.benchmark_record(times))
        return 0
    timing_table.print_benchmark(times)
    for folder, latency in added.items():
        print(f"{folder}: the report has the latency on the device, {latency.figure}")
    return 0


@dataclass(frozen=True)
class ProfileOptions:
    """Profile.

    Attributes:
        kernels: Kernels of LiteRT.
        seconds: Approximate time for everything. Large models are timed in groups of operators.
        time_budget: Time for everything, which is kept to even where the model is slow. When it is used, what
            was timed is kept, and a note says what is missing.
    """

    kernels: Literal["xnnpack", "no-delegate", "reference"] = "xnnpack"
    seconds: Seconds = 5.0
    time_budget: Duration | None = None


@command(SECTION, "model.tflite", model="A .tflite file.")
def profile(
    model: str, options: ProfileOptions, threads: ThreadOptions, samples: SampleOptions, output: OutputOptions
) -> int:
    """Measure the latency of each operator of a .tflite beside the limits of this machine."""
    from tflite_compress.reporting import profile_table
    from tflite_compress.timing.profile import profile as measure

    found = with_progress(
        lambda progress: measure(
            model,
            threads.threads,
            options.kernels,
            samples.data,
            samples.preprocess,
            options.seconds,
            progress=progress,
            input_shape=samples.input_shape,
            time_budget_seconds=options.time_budget,
            resize=samples.resize,
        )
    )
    if output.json:
        print_json(profile_table.profile_record(found))
    else:
        profile_table.print_profile(found)
    return 0


@dataclass(frozen=True)
class ReportOptions:
    """Output.

    Attributes:
        compare: Print results side by side instead of each in full.
        html: Write a self-contained HTML page into this file instead.
    """

    compare: bool = False
    html: File | None = None


@command(
    RESULTS,
    "compressed/digits-rp2040",
    folder="A folder that compress or search wrote.",
    others="More such folders.",
)
def report(folder: str, *others: str, options: ReportOptions, output: OutputOptions) -> int:
    """Print results as Markdown, or write them as one HTML page."""
    from tflite_compress.reporting import results_table
    from tflite_compress.reporting.comparison import side_by_side
    from tflite_compress.reporting.markdown import result_markdown
    from tflite_compress.reporting.recorded import read_results

    found = [result for path in (folder, *others) for result in read_results(path)]
    beside = options.compare or (options.html is not None and len(found) > 1)
    if options.html is not None:
        from tflite_compress.reporting.page import comparison_page, result_page
        from tflite_compress.support.staging import replace_file

        replace_file(Path(options.html), comparison_page(found) if beside else result_page(found[0]))
        print(f"{options.html}: {len(found)} result{'s' if len(found) > 1 else ''}")
        return 0
    if output.json:
        results_table.print_json(found)
        return 0
    print(side_by_side(found) if beside else "\n".join(map(result_markdown, found)), end="")
    return 0


@dataclass(frozen=True)
class RunsOptions:
    """Selection.

    Attributes:
        model: Only runs whose model path contains this text.
        device: Only runs for this device.
        max_runs: Maximum number of runs.
        ledger: SQLite file that records runs. Default: the file in your data folder.
        mlflow: Copy the runs to an MLflow server or file, for example sqlite:///mlflow.db.
    """

    model: str | None = None
    device: str | None = None
    max_runs: Count = 20
    ledger: File | None = None
    mlflow: str | None = None


@command(RESULTS, "1 2", numbers="Numbers of runs to compare.")
def runs(*numbers: Count, options: RunsOptions, output: OutputOptions) -> int:
    """List recorded runs, newest first, or compare some of them."""
    from tflite_compress.reporting import ledger_table
    from tflite_compress.reporting.ledger import ledger_path
    from tflite_compress.reporting.ledger import runs as recorded

    path = ledger_path(options.ledger)
    if path is None:
        raise UsageError("no record of runs is kept", "Name its file: --ledger=FILE.")
    found = recorded(path, options.model, options.device, list(numbers), options.max_runs)
    if options.mlflow is not None:
        from tflite_compress.reporting.mlflow_export import export

        added = export(found, options.mlflow)
        print(f"{options.mlflow}: added {added} of {len(found)} runs; the others were there already")
    elif output.json:
        print_json(ledger_table.runs_record(found))
    elif numbers:
        ledger_table.print_compared(found)
    else:
        ledger_table.print_runs(found, path)
    return 0
