"""Commands that look at finished files and runs: benchmark, profile, inspect, runs, report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tflite_compress.cli.device_commands import remote_of, whole
from tflite_compress.cli.option_values import flag, quietly, refuse_extra, seconds_of, text, words_of
from tflite_compress.support.errors import UsageError


def benchmark(
    *models: Any,
    threads: Any = 1,
    runtime: Any = "litert",
    kernels: Any = "xnnpack,no-delegate",
    data: Any = None,
    preprocess: Any = "none",
    seconds: Any = 2,
    batches: Any = None,
    port: Any = None,
    remote_python: Any = "python3",
    remote_folder: Any = "/tmp",
    benchmark_model: Any = None,
    delegate: Any = "cpu",
    serial: Any = None,
    json: bool = False,
) -> int:
    """Time .tflite files in turns, each in processes of its own, and compare them with the first.

    Args:
        models: One or several .tflite files.
        threads: Numbers of CPU threads, such as 1,2,4.
        runtime: litert or tflm on this machine, ssh:HOST or adb on a device.
        kernels: For litert, any of xnnpack, no-delegate, reference.
        data: Data as for compress, whose first sample is run; random inputs by default.
        preprocess: none, unit, symmetric, or module:function, as for compress.
        seconds: About how long to time each file with each setting.
        batches: Also measure throughput at these batch sizes, such as 1,8,32.
        port: SSH port.
        remote_python: Python on the device, with numpy and ai-edge-litert.
        remote_folder: Folder for temporary files on the device.
        benchmark_model: Android's official benchmark_model binary.
        delegate: cpu, gpu or nnapi on the phone.
        serial: Which phone, as adb devices lists it.
        json: Print everything as JSON.
    """
    import json as json_module

    from tflite_compress.reporting import timing_table
    from tflite_compress.timing import benchmark as api

    if not models:
        raise UsageError("no model named", "For example: tflite-compress benchmark a.tflite b.tflite")
    counts = [whole(n, "threads") for n in _numbers(threads, "threads")]
    sizes = [] if batches is None else [whole(n, "batches") for n in _numbers(batches, "batches")]
    remote = remote_of(port, remote_python, remote_folder, benchmark_model, delegate, serial, counts[0])
    duration = seconds_of(seconds, "seconds")
    found = quietly(
        lambda progress: api.benchmark(
            *(str(m) for m in models),
            threads=counts,
            runtime=str(runtime),
            kernels=words_of(kernels, "kernels"),
            data=text(data),
            preprocess=str(preprocess),
            seconds=duration,
            batches=sizes,
            remote=remote,
            progress=progress,
        )
    )
    if flag(json, "json"):
        print(json_module.dumps(timing_table.benchmark_record(found), indent=2))
    else:
        timing_table.print_benchmark(found)
    return 0 if found.timings or found.on_device else 2


def _numbers(value: Any, name: str) -> list[Any]:
    """Whole numbers from ``4``, ``1,2,4`` or what fire made of it."""
    if isinstance(value, list | tuple):
        found = list(value)
    else:
        words = [w for w in str(value).split(",") if w.strip()]
        found = [int(w) if w.strip().isdigit() else w for w in words]
    if not found:
        raise UsageError(f"--{name}: no number given", f"For example --{name}=1,2.")
    return list(dict.fromkeys(found))


def inspect(model: Any = None, *extra: str, graph: Any = None, diff: Any = None, json: bool = False) -> int:
    """Look into a .tflite: operators, types, weights by layer, entropy, and where the bytes go.

    Args:
        model: A .tflite file.
        extra: Nothing else is expected.
        graph: Draw the operators into this SVG file.
        diff: Another .tflite to compare with.
        json: Print everything as JSON.
    """
    refuse_extra(extra)
    import json as json_module

    from tflite_compress.inspection.diff import compare_inspections
    from tflite_compress.inspection.inspect_file import inspect as look
    from tflite_compress.reporting import inspection_table

    if model is None:
        raise UsageError("no model named", "For example: tflite-compress inspect model.tflite")
    found = look(str(model))
    if diff is not None:
        other = look(str(diff))
        change = compare_inspections(found, other)
        if flag(json, "json"):
            print(json_module.dumps(inspection_table.difference_record(found, other, change), indent=2))
        else:
            inspection_table.print_difference(found, other, change)
    elif flag(json, "json"):
        print(json_module.dumps(inspection_table.inspection_record(found), indent=2))
    else:
        inspection_table.print_inspection(found)
    if graph is not None:
        from tflite_compress.inspection.drawing import draw_svg
        from tflite_compress.support.staging import write_file

        write_file(Path(str(graph)), draw_svg(found))
    return 0


def profile(
    model: Any = None,
    *extra: str,
    threads: int = 1,
    kernels: Any = "xnnpack",
    data: Any = None,
    preprocess: Any = "none",
    seconds: Any = 5,
    json: bool = False,
) -> int:
    """Time a .tflite operator by operator: share, GMAC/s, and how near that is to this machine's best.

    Args:
        model: A .tflite file.
        extra: Nothing else is expected.
        threads: CPU threads.
        kernels: xnnpack, no-delegate or reference.
        data: Data as for compress, whose first sample is run; random inputs by default.
        preprocess: none, unit, symmetric, or module:function, as for compress.
        seconds: About how long to measure.
        json: Print everything as JSON.
    """
    refuse_extra(extra)
    import json as json_module

    from tflite_compress.reporting import profile_table
    from tflite_compress.timing.benchmark import find_kernels
    from tflite_compress.timing.profile import profile as measure

    if model is None:
        raise UsageError("no model named", "For example: tflite-compress profile model.tflite")
    (chosen,) = find_kernels([str(kernels)])
    duration, count = seconds_of(seconds, "seconds"), whole(threads, "threads")
    found = quietly(
        lambda progress: measure(
            str(model), count, chosen, text(data), str(preprocess), duration, progress=progress
        )
    )
    if flag(json, "json"):
        print(json_module.dumps(profile_table.profile_record(found), indent=2))
    else:
        profile_table.print_profile(found)
    return 0


def runs(
    *numbers: Any,
    model: Any = None,
    device: Any = None,
    most: int = 20,
    ledger: Any = None,
    mlflow: Any = None,
    json: bool = False,
) -> int:
    """List recorded runs, newest first, or put some side by side.

    Args:
        numbers: Runs to put side by side, as the list numbers them.
        model: Only runs whose model's path contains this.
        device: Only runs for this device.
        most: At most so many.
        ledger: The ledger's file; the one in your data folder by default.
        mlflow: Copy these runs to an MLflow server or file, such as sqlite:///mlflow.db.
        json: Print everything as JSON, with whole reports.
    """
    import json as json_module

    from tflite_compress.reporting import ledger_table
    from tflite_compress.reporting.ledger import ledger_path
    from tflite_compress.reporting.ledger import runs as recorded

    path = ledger_path(text(ledger))
    if path is None:
        raise UsageError("no ledger is kept", "Name one: --ledger=FILE.")
    ids = [whole(n, "run") for n in numbers]
    found = recorded(path, text(model), text(device), ids, whole(most, "most"))
    if mlflow is not None:
        from tflite_compress.reporting.mlflow_export import export

        added = export(found, str(mlflow))
        print(f"{mlflow}: {added} of {len(found)} runs added, the others were there already")
    elif flag(json, "json"):
        print(json_module.dumps(ledger_table.runs_record(found), indent=2))
    elif ids:
        ledger_table.print_compared(found)
    else:
        ledger_table.print_runs(found, path)
    return 0


def report(*folders: Any, compare: bool = False, html: Any = None) -> int:
    """Print results as Markdown, for a pull request, or draw them as one HTML page.

    Args:
        folders: Folders that compress or search wrote.
        compare: Side by side instead of each in full.
        html: Write a self-contained page into this file instead.
    """
    from tflite_compress.reporting.markdown import one_in_full, read_results, side_by_side
    from tflite_compress.support.staging import replace_file

    if not folders:
        raise UsageError("no folder named", "For example: tflite-compress report compressed/digits")
    if html is True:
        raise UsageError("--html: no file named", "For example --html=report.html.")
    found = [result for folder in folders for result in read_results(str(folder))]
    beside = flag(compare, "compare") or (html is not None and len(found) > 1)
    if html is not None:
        from tflite_compress.reporting.page import comparison_page, result_page

        replace_file(Path(str(html)), comparison_page(found) if beside else result_page(found[0]))
        print(f"{html}: {len(found)} result{'s' if len(found) > 1 else ''}")
        return 0
    print(side_by_side(found) if beside else "\n".join(map(one_in_full, found)), end="")
    return 0
