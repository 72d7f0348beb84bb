"""The command line. Nothing here imports TensorFlow before a model is to be loaded."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from tflite_compress.cli import (
    device_commands,
    diagnose_command,
    file_commands,
    profile_commands,
    search_command,
)
from tflite_compress.cli.help_text import HELP, command_help
from tflite_compress.cli.option_values import (
    bytes_of,
    command_line,
    flag,
    names_of,
    plain_settings,
    quietly,
    refuse_extra,
    sources_of,
    text,
)
from tflite_compress.support.errors import CompressError, UsageError, closest
from tflite_compress.support.packages import missing_package
from tflite_compress.support.staging import full_disk


def compress(
    model: Any = None,
    *extra: str,
    device: Any = None,
    recipe: Any = None,
    data: Any = None,
    train: Any = None,
    calibrate: Any = None,
    eval: Any = None,
    max_drop: float = 0.01,
    max_flash: Any = None,
    max_ram: Any = None,
    out: Any = None,
    preprocess: Any = "none",
    resize: bool = False,
    metric: Any = None,
    loss: Any = None,
    custom_objects: Any = None,
    trust_model: bool = False,
    seed: int = 0,
    bundle: bool = True,
    details: bool = True,
    resume: bool = True,
    ledger: Any = None,
    dry_run: bool = False,
    json: bool = False,
    **settings: Any,
) -> int:
    """Compress a Keras model, or a forest of decision trees, and prove that it still works.

    Any setting of the recipe is an option too: --sparsity=0.6, --numeric=float16, --epochs=2
    ('tflite-compress recipes NAME' lists them).

    Args:
        model: A .keras or .h5 file, a SavedModel, or trees (.skops, .joblib, XGBoost .json, LightGBM .txt).
        extra: Nothing else is expected.
        device: Device profile, or several separated by commas; a name or the path of a TOML file.
        recipe: Recipe name or path; by default the device's.
        data: .npz file, folder of images (one subfolder a class), or module:function. Split by the tool.
        train: Training data, if it comes separately.
        calibrate: Calibration data (representative dataset), if it comes separately.
        eval: Evaluation data, if it comes separately.
        max_drop: Accuracy that may be lost; 0.01 is one point of top-1.
        max_flash: Most flash for model and runtime, such as 256KB. Without --recipe, goes as far as needed.
        max_ram: Most RAM, such as 64KB; likewise.
        out: Folder for the result; compressed/MODEL-DEVICE by default.
        preprocess: none, unit (0 to 1), symmetric (-1 to 1), or module:function on the input arrays.
        resize: Resize images to the model's input.
        metric: top1, top5, binary_accuracy, r2, mae, mse, or module:function; inferred by default.
        loss: Keras loss name or module:function for fine-tuning; inferred by default.
        custom_objects: module:dict with the custom classes of the model.
        trust_model: Run code that is in the model file, such as Lambda layers or a joblib file.
        seed: Seed of the split and of training.
        bundle: Write sources and test vectors for the device too; --bundle=false leaves them out.
        details: Time operators and look at layers for report.html; --details=false leaves pages out.
        resume: Go on with the training of an interrupted run; --resume=false starts it anew.
        ledger: File that keeps a record of runs, or none; 'tflite-compress runs' lists them.
        dry_run: Print the plan and stop.
        json: Print the reports as JSON instead of a table.
        settings: Settings of the recipe.
    """
    asked = command_line(compress, locals())
    refuse_extra(extra)
    if model is None:
        raise UsageError(
            "no model named", "For example: tflite-compress compress model.keras --device=rp2040"
        )
    from tflite_compress.compression import compress as api
    from tflite_compress.pipeline.plan import make_plan
    from tflite_compress.reporting import results_table as table
    from tflite_compress.trees.load_forest import holds_forest

    settings = plain_settings(settings)
    names = names_of(device)
    limits = bytes_of(max_flash, "max-flash"), bytes_of(max_ram, "max-ram")
    forest = holds_forest(str(model))
    plans = [make_plan(name, text(recipe), settings, limits != (None, None), forest) for name in names]
    if flag(dry_run, "dry-run"):
        table.print_plans(plans)
        return 0
    options = api.settled_options(
        {
            "max_drop": max_drop,
            "metric": text(metric),
            "loss": text(loss),
            "custom_objects": text(custom_objects),
            "trust_model": flag(trust_model, "trust-model"),
            "seed": seed,
            "bundle": flag(bundle, "bundle"),
            "details": flag(details, "details"),
            "resume": flag(resume, "resume"),
            "max_flash_bytes": limits[0],
            "max_ram_bytes": limits[1],
        }
    )
    sources = sources_of(data, train, calibrate, eval)

    def work(progress: Any) -> Any:
        from tflite_compress.data.gather import DataSpec

        spec = DataSpec(**sources, preprocess=str(preprocess), resize=flag(resize, "resize"))
        return api.run_plans(
            str(model), plans, spec, options, text(out), progress, None, "compress", text(ledger), asked
        )

    results = quietly(work)
    if flag(json, "json"):
        table.print_json(results)
    else:
        table.print_results(results)
    return 0 if all(result.passed and result.fits for result in results) else 1


def repeat(manifest: Any = None, *extra: str, out: Any = None) -> int:
    """Run again what a manifest records, and compare the new file with the recorded one.

    Args:
        manifest: The manifest.json in a result's folder.
        extra: Nothing else is expected.
        out: Folder for the new result; the old one's name with -repeated by default.
    """
    refuse_extra(extra)
    if manifest is None:
        raise UsageError("no manifest named", "Give the manifest.json in a result's folder.")
    from tflite_compress.compression import compress as api

    result, same = quietly(lambda progress: api.repeat(str(manifest), text(out), progress))
    print(f"{result.tflite}: {'the same' if same else 'NOT the same'} bytes as recorded")
    return 0 if same else 1


def _brief(text: str, most: int = 300) -> str:
    """One line; of a long text the end too, where TensorFlow's errors say what happened."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:60]} … {line[60 - most :]}"


COMMANDS = {
    "compress": compress,
    "repeat": repeat,
    "diagnose": diagnose_command.diagnose,
    "search": search_command.search,
    "check": device_commands.check,
    "verify": device_commands.verify,
    "bundle": device_commands.bundle,
    "benchmark": file_commands.benchmark,
    "profile": file_commands.profile,
    "inspect": file_commands.inspect,
    "report": file_commands.report,
    "runs": file_commands.runs,
    "setup-emulator": device_commands.setup_emulator,
    "devices": profile_commands.devices,
    "recipes": profile_commands.recipes,
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; those of the process by default.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(HELP, end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from tflite_compress import __version__

        print(__version__)
        return 0
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _dispatch(arguments)
    except CompressError as error:
        if debug:
            raise
        told = full_disk() or error
        _complain(told.message, told.hint)
        return error.exit_code
    except KeyboardInterrupt:
        _complain("interrupted; nothing was written", "The same command continues a training where it stood.")
        return 130
    except MemoryError:
        _complain("out of memory", "Close other programs, or give less data.")
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        if isinstance(error, ModuleNotFoundError) and (missing := missing_package(error)):
            _complain(missing.message, missing.hint)
            return missing.exit_code
        if full := full_disk():
            _complain(full.message, full.hint)
            return full.exit_code
        _complain(
            f"unexpected {type(error).__name__}: {_brief(str(error))}",
            "This is a bug; --debug shows where.",
        )
        return 2


def _dispatch(arguments: list[str]) -> int:
    if arguments[0] not in COMMANDS:
        raise UsageError(
            f"unknown command '{arguments[0]}'.{closest(arguments[0], list(COMMANDS))}",
            "'tflite-compress --help' lists the commands.",
        )
    if "--help" in arguments or "-h" in arguments:
        print(command_help(arguments[0], COMMANDS[arguments[0]]))
        return 0
    import fire
    from fire.core import FireExit

    code: list[int] = []

    def returning(command: Any) -> Any:
        import functools

        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> None:
            code.append(command(*args, **kwargs))

        return run

    component = {name: returning(command) for name, command in COMMANDS.items()}
    try:
        fire.Fire(component, command=arguments, name="tflite-compress")
    except FireExit as exit_:
        return int(exit_.code or 0)
    return code[0] if code else 2


def _complain(message: str, hint: str) -> None:
    print(f"tflite-compress: {message}", file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)


def _terminate(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt
