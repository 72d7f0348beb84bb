"""Commands about a finished ``.tflite`` and a device: check, verify, bundle, setup-emulator, setup-gpu."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tflite_compress.cli.command_registry import command
from tflite_compress.cli.option_types import (
    Bytes,
    Count,
    DeviceName,
    DeviceNames,
    Duration,
    File,
    Folder,
    Number,
    Share,
    Words,
)
from tflite_compress.cli.run_log import with_progress
from tflite_compress.cli.shared_calls import check_page, print_json, remote_device, write_page
from tflite_compress.cli.shared_options import (
    DeviceOptions,
    HeadName,
    Metric,
    OutputOptions,
    PageOptions,
    SampleOptions,
    TaskNames,
    ThreadOptions,
)
from tflite_compress.support.errors import UsageError

if TYPE_CHECKING:
    from tflite_compress.checking.verdict import Verdict

SECTION = "Work with a .tflite"


@dataclass(frozen=True)
class CheckOptions:
    """Device and limits.

    Attributes:
        device: Device profiles separated by commas, or all.
        max_flash: Maximum flash for model and runtime, for example 256KB. The flash of the device by
            default.
        max_ram: Maximum RAM, for example 64KB. The RAM of the device by default.
        max_latency_ms: Maximum latency of one inference in ms. Of an estimate, the upper end counts.
        min_accuracy: Minimum accuracy on --data, for example 0.9 or 90%. For errors such as mae it is the
            maximum.
        metric: A metric of a task (docs/tasks.md lists them), or module:function. Inferred by
            default.
        task: What the outputs are; names of several outputs are separated by commas. Inferred by default.
        head: Layout of a detector's outputs (docs/tasks.md), or module:function. Recognized by default.
        anchors: File with the anchors of an SSD, .npy or .csv: y, x, height and width of each.
        ssh: user@host of the device, to measure on it.
        time_budget: Time for all runtimes and devices together, for example 2m. The findings say what was not
            done. Default: no limit.
    """

    device: DeviceNames
    max_flash: Bytes | None = None
    max_ram: Bytes | None = None
    max_latency_ms: Number | None = None
    min_accuracy: Share | None = None
    metric: Metric | None = None
    task: TaskNames | None = None
    head: HeadName | None = None
    anchors: File | None = None
    ssh: str | None = None
    time_budget: Duration | None = None


def _require_accuracy(options: CheckOptions) -> None:
    """Refuse options that say how accuracy is measured where it is not measured."""
    for name in ("metric", "task", "head", "anchors"):
        if getattr(options, name) is not None and options.min_accuracy is None:
            raise UsageError(
                f"--{name} needs --min-accuracy", "For example --min-accuracy=90% --data=test.npz."
            )


@command(SECTION, "model.tflite --device=rp2040", model="A .tflite file.")
def check(
    model: str,
    options: CheckOptions,
    samples: SampleOptions,
    remote: DeviceOptions,
    threads: ThreadOptions,
    output: OutputOptions,
    page: PageOptions,
) -> int:
    """Check whether a .tflite fits a device: operators, flash, RAM, latency, accuracy.

    Exit code 0: it fits. Exit code 1: it does not fit. With --device=all, 0 if it fits any device.
    """
    from tflite_compress.checking.check_file import check_file
    from tflite_compress.checking.verdict import Limits
    from tflite_compress.scoring.joint_output import HeadOptions

    head = HeadOptions(options.head, options.anchors)
    if options.min_accuracy is not None and samples.data is None:
        raise UsageError("--min-accuracy needs --data", "Give labelled data: --data=test.npz.")
    _require_accuracy(options)
    check_page(page)
    limits = Limits(options.max_flash, options.max_ram, options.max_latency_ms)
    on_device = "adb" if remote.benchmark_model is not None else None
    if options.ssh is not None:
        on_device = f"ssh:{options.ssh}"
    verdicts = with_progress(
        lambda progress: check_file(
            model,
            options.device,
            limits,
            options.min_accuracy,
            samples.data,
            samples.preprocess,
            options.metric,
            on_device,
            remote_device(remote, threads.threads),
            progress,
            samples.input_shape,
            options.time_budget,
            options.task,
            head,
            samples.resize,
        )
    )
    _show(model, verdicts, output, page)
    fits = [verdict.fits for verdict in verdicts]
    return 0 if (any(fits) if options.device == ("all",) else all(fits)) else 1


def _show(model: str, verdicts: list[Verdict], output: OutputOptions, page: PageOptions) -> None:
    from tflite_compress.reporting import fit_table

    if output.json:
        print(fit_table.verdicts_as_json(verdicts))
    else:
        fit_table.print_verdicts(verdicts)
    if page.html is not None:
        from tflite_compress.reporting.fit_page import verdicts_page

        write_page(page.html, output, verdicts_page(model, verdicts))


@dataclass(frozen=True)
class VerifyOptions:
    """Runtimes.

    Attributes:
        runtime: Any of litert, litert-reference, litert-gpu, litert-gpu-f32, litert-web:wasm,
            litert-web:webgpu, tflm, vela:NPU, emulate:DEVICE, ssh:HOST, adb, separated by commas.
        emulate: Also run the 64-bit Raspberry Pi build in an emulator. Run 'tflite-compress setup-emulator'
            first.
        samples: Number of samples.
        time_budget: Time for all runtimes together, for example 2m. As many samples are run as it allows.
            Default: no limit.
    """

    runtime: Words = ("litert", "litert-reference", "tflm")
    emulate: bool = False
    samples: Count = 8
    time_budget: Duration | None = None


@command(SECTION, "model.tflite --runtime=litert,tflm", model="A .tflite file.")
def verify(
    model: str,
    options: VerifyOptions,
    samples: SampleOptions,
    remote: DeviceOptions,
    threads: ThreadOptions,
    output: OutputOptions,
) -> int:
    """Run a .tflite on several runtimes and compare the outputs.

    Exit code 0: all outputs agree. Exit code 1: one runtime differs.
    """
    from tflite_compress.checking.check_file import verify_file
    from tflite_compress.reporting import fit_table

    names = [*options.runtime, *(["emulate"] if options.emulate else [])]
    comparisons = with_progress(
        lambda progress: verify_file(
            model,
            names,
            samples.data,
            samples.preprocess,
            options.samples,
            remote_device(remote, threads.threads),
            progress,
            samples.input_shape,
            options.time_budget,
            samples.resize,
        )
    )
    if output.json:
        print(fit_table.comparisons_as_json(comparisons))
    else:
        fit_table.print_comparisons(comparisons)
    return 1 if any(comparison.is_same is False for comparison in comparisons) else 0


@dataclass(frozen=True)
class BundleOptions:
    """Bundle.

    Attributes:
        device: Device profile: a name, or the path of a TOML file. It may be left out with --format=web.
        format: Format of the bundle: android, cpp, linux or web. Default: that of the device.
        labels: Text file with one class name per line.
        out: Folder for the bundle. Default: bundle-DEVICE.
        time_budget: Time for the runtimes, for example 2m. With less time than they need, the bundle has one
            test vector and an upper bound of the arena. Default: no limit.
        keep_graph: Deploy one file also where a GPU refuses its post-processing. By default that is a file of
            its own, which the bundle's code runs on the CPU.
        head: Layout of a detector's outputs (docs/tasks.md), or module:function. The bundle gets its
            decoding. Recognized where labels are boxes.
        anchors: File with the anchors of an SSD, .npy or .csv: y, x, height and width of each.
    """

    device: DeviceName | None = None
    format: str | None = None
    labels: File | None = None
    out: Folder | None = None
    time_budget: Duration | None = None
    keep_graph: bool = False
    head: HeadName | None = None
    anchors: File | None = None


@command(SECTION, "model.tflite --device=rp2040", model="A .tflite file.")
def bundle(model: str, options: BundleOptions, samples: SampleOptions, output: OutputOptions) -> int:
    """Write the source files and test vectors to deploy a .tflite.

    Writes C++ for a microcontroller, Kotlin for Android, a Python program for a Raspberry Pi, a page for a
    browser.
    """
    from tflite_compress.bundling.bundle_file import bundle_file
    from tflite_compress.scoring.joint_output import HeadOptions

    folder = with_progress(
        lambda progress: bundle_file(
            model,
            options.device,
            samples.data,
            samples.preprocess,
            options.labels,
            options.out,
            progress,
            samples.input_shape,
            options.format,
            options.time_budget,
            options.keep_graph,
            samples.resize,
            HeadOptions(options.head, options.anchors),
        )
    )
    if output.json:
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        print_json({"folder": str(folder), "files": files})
    else:
        print(f"{folder}: read its README.md")
    return 0


@command(SECTION, "")
def setup_emulator() -> int:
    """Download the emulated 64-bit Raspberry Pi for verify --emulate (Debian, Ubuntu)."""
    from tflite_compress.runtimes.emulator import set_up

    print(with_progress(set_up))
    return 0


@command(SECTION, "")
def setup_gpu() -> int:
    """Download the software driver of the GPU accelerator, for verify --runtime=litert-gpu (Linux)."""
    from tflite_compress.runtimes.gpu_setup import set_up_gpu

    folder = with_progress(set_up_gpu)
    print(f"the GPU's software driver is set up in {folder}")
    print("check and compress for a GPU use it by themselves, and verify with --runtime=litert-gpu")
    return 0
