"""Commands about a finished ``.tflite``: check, verify, bundle, setup-emulator; without TensorFlow."""

from __future__ import annotations

from typing import Any

from tflite_compress.cli.option_values import bytes_of, flag, names_of, quietly, refuse_extra, text
from tflite_compress.support.errors import UsageError


def check(
    model: Any = None,
    *extra: str,
    device: Any = None,
    max_flash: Any = None,
    max_ram: Any = None,
    max_latency_ms: Any = None,
    min_accuracy: Any = None,
    data: Any = None,
    preprocess: Any = "none",
    metric: Any = None,
    ssh: Any = None,
    port: Any = None,
    remote_python: Any = "python3",
    remote_folder: Any = "/tmp",
    benchmark_model: Any = None,
    delegate: Any = "cpu",
    serial: Any = None,
    threads: int = 1,
    json: bool = False,
) -> int:
    """Tell whether a .tflite fits a device, before anything is flashed. Exit code 0 fits, 1 does not.

    Args:
        model: A .tflite file.
        extra: Nothing else is expected.
        device: Device profile, several separated by commas, or all.
        max_flash: Most flash for model and runtime, for example 256KB; the device's by default.
        max_ram: Most RAM, for example 64KB; the device's by default.
        max_latency_ms: Longest inference. An estimate counts with the upper end of its range.
        min_accuracy: Least accuracy, with --data.
        data: Labelled data as for compress; its test part if it has one.
        preprocess: none, unit, symmetric, or module:function, as for compress.
        metric: top1, top5, binary_accuracy, r2, mae, mse, or module:function; inferred by default.
        ssh: user@host of the device itself, to measure on it.
        port: SSH port.
        remote_python: Python on the device, with numpy and ai-edge-litert.
        remote_folder: Folder for temporary files on the device.
        benchmark_model: Android's official benchmark_model binary, to measure on the phone adb finds.
        delegate: cpu, gpu or nnapi on the phone.
        serial: Which phone, as adb devices lists it.
        threads: CPU threads on the device.
        json: Print everything as JSON.
    """
    refuse_extra(extra)
    from tflite_compress.checking import check_file as api
    from tflite_compress.checking.verdict import Limits
    from tflite_compress.reporting import fit_table

    path = _tflite(model, "check model.tflite --device=rp2040")
    names = names_of(device)
    limits = Limits(
        bytes_of(max_flash, "max-flash"),
        bytes_of(max_ram, "max-ram"),
        _number(max_latency_ms, "max-latency-ms"),
    )
    least = _number(min_accuracy, "min-accuracy")
    if least is not None and data is None:
        raise UsageError("--min-accuracy needs --data", "Give labelled data: --data=test.npz.")
    remote = remote_of(port, remote_python, remote_folder, benchmark_model, delegate, serial, threads)
    on_device = f"ssh:{text(ssh)}" if ssh is not None else "adb" if benchmark_model is not None else None
    verdicts = quietly(
        lambda progress: api.check_file(
            path, names, limits, least, text(data), str(preprocess), text(metric), on_device, remote, progress
        )
    )
    if flag(json, "json"):
        print(fit_table.verdicts_as_json(verdicts))
    else:
        fit_table.print_verdicts(verdicts)
    fits = [verdict.fits for verdict in verdicts]
    return 0 if (any(fits) if names == ["all"] else all(fits)) else 1


def verify(
    model: Any = None,
    *extra: str,
    runtime: Any = "litert,litert-reference,tflm",
    emulate: bool = False,
    data: Any = None,
    preprocess: Any = "none",
    samples: int = 8,
    port: Any = None,
    remote_python: Any = "python3",
    remote_folder: Any = "/tmp",
    benchmark_model: Any = None,
    delegate: Any = "cpu",
    serial: Any = None,
    threads: int = 1,
    json: bool = False,
) -> int:
    """Run a .tflite on several runtimes and compare what they compute. Exit code 1 where one differs.

    Args:
        model: A .tflite file.
        extra: Nothing else is expected.
        runtime: Any of litert, litert-reference, tflm, vela:NPU, emulate, ssh:HOST, adb.
        emulate: Also run the real 64-bit Raspberry Pi build, emulated (setup-emulator first).
        data: Samples to run on; seeded random ones by default.
        preprocess: none, unit, symmetric, or module:function, as for compress.
        samples: How many.
        port: SSH port.
        remote_python: Python on the device, with numpy and ai-edge-litert.
        remote_folder: Folder for temporary files on the device.
        benchmark_model: Android's official benchmark_model binary.
        delegate: cpu, gpu or nnapi on the phone.
        serial: Which phone, as adb devices lists it.
        threads: CPU threads.
        json: Print everything as JSON.
    """
    refuse_extra(extra)
    from tflite_compress.checking import check_file as api
    from tflite_compress.reporting import fit_table

    path = _tflite(model, "verify model.tflite --emulate")
    words = runtime if isinstance(runtime, list | tuple) else str(runtime).split(",")
    names = [str(word).strip() for word in words if str(word).strip()]
    names += ["emulate"] if flag(emulate, "emulate") and "emulate" not in names else []
    remote = remote_of(port, remote_python, remote_folder, benchmark_model, delegate, serial, threads)
    count = whole(samples, "samples")
    comparisons = quietly(
        lambda progress: api.verify_file(path, names, text(data), str(preprocess), count, remote, progress)
    )
    if flag(json, "json"):
        print(fit_table.comparisons_as_json(comparisons))
    else:
        fit_table.print_comparisons(comparisons)
    return 1 if any(c.same is False for c in comparisons) else 0


def bundle(
    model: Any = None,
    *extra: str,
    device: Any = None,
    data: Any = None,
    preprocess: Any = "none",
    labels: Any = None,
    out: Any = None,
) -> int:
    """Write what a device's developer needs: C++ (microcontroller), Kotlin (Android), a runner (Pi).

    Args:
        model: A .tflite file.
        extra: Nothing else is expected.
        device: Device profile; a name or the path of a TOML file.
        data: Samples for the test vectors; seeded random ones by default.
        preprocess: none, unit, symmetric, or module:function, as for compress.
        labels: Text file with one class name a line.
        out: Folder for the bundle; bundle-DEVICE by default.
    """
    refuse_extra(extra)
    from tflite_compress.checking import check_file as api

    path = _tflite(model, "bundle model.tflite --device=rp2040")
    names = names_of(device)
    if len(names) != 1:
        raise UsageError("--device: a bundle is for one device", "Call it once for each.")
    folder = quietly(
        lambda progress: api.bundle_file(
            path, names[0], text(data), str(preprocess), text(labels), text(out), progress
        )
    )
    print(f"{folder}: read its README.md")
    return 0


def setup_emulator(*extra: str) -> int:
    """Fetch the 64-bit Raspberry Pi build of LiteRT with an emulator, for verify --emulate (Debian, Ubuntu).

    Args:
        extra: Nothing else is expected.
    """
    refuse_extra(extra)
    from tflite_compress.runtimes.emulator import set_up

    print(quietly(set_up))
    return 0


def _tflite(model: Any, example: str) -> str:
    if model is None:
        raise UsageError("no model named", f"For example: tflite-compress {example}")
    return str(model)


def remote_of(
    port: Any, python: Any, folder: Any, binary: Any, delegate: Any, serial: Any, threads: Any
) -> Any:
    """How to reach devices, from the options that say so."""
    from tflite_compress.runtimes.by_name import Remote

    return Remote(
        None if port is None else whole(port, "port"),
        str(python),
        str(folder),
        (),
        text(binary),
        str(delegate),  # type: ignore[arg-type]
        text(serial),
        whole(threads, "threads"),
    )


def _number(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise UsageError(f"--{name}={value}: expected a number from 0", f"For example --{name}=0.9.")
    return float(value)


def whole(value: Any, name: str) -> int:
    """A whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"--{name}={value}: expected a whole number from 1", f"For example --{name}=4.")
    return value
