"""Commands that compress a model: compress, repeat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tflite_compress.cli.command_registry import AskedFor, command
from tflite_compress.cli.option_types import DeviceNames, Folder, RecipeName
from tflite_compress.cli.run_log import with_progress
from tflite_compress.cli.shared_calls import data_spec, print_json
from tflite_compress.cli.shared_options import (
    AccuracyOptions,
    DataOptions,
    GpuOptions,
    LedgerOptions,
    LimitOptions,
    ModelOptions,
    OutputOptions,
    TimeOptions,
)

if TYPE_CHECKING:
    from tflite_compress.compression.options import Options

SECTION = "Compress a model"


@dataclass(frozen=True)
class CompressOptions:
    """Compression.

    Attributes:
        device: Device profiles separated by commas; each a name, or the path of a TOML file.
        recipe: Recipe: a name, or the path of a TOML file. Default: the recipe of the device.
        out: Folder for the result. Default: compressed/MODEL-DEVICE.
        forecast: Do not estimate what pruning costs before a long training; begin with the level asked for.
        bundle: Do not write sources and test vectors for the device.
        details: Do not measure operators and layers, and do not write report.html, report.md and
            MODEL_CARD.md.
        resume: Start training anew instead of resuming an interrupted run.
        dry_run: Check model, data and options, and print the plan without running it.
    """

    device: DeviceNames
    recipe: RecipeName | None = None
    out: Folder | None = None
    forecast: bool = True
    bundle: bool = True
    details: bool = True
    resume: bool = True
    dry_run: bool = False


@command(
    SECTION,
    "model.keras --device=rp2040 --data=data.npz",
    model="A .keras or .h5 file, a SavedModel folder, or decision trees (.skops, .joblib, XGBoost .json, "
    "LightGBM .txt).",
)
def compress(
    model: str,
    options: CompressOptions,
    data: DataOptions,
    limits: LimitOptions,
    time: TimeOptions,
    accuracy: AccuracyOptions,
    loading: ModelOptions,
    scoring: GpuOptions,
    ledger: LedgerOptions,
    output: OutputOptions,
    asked: AskedFor,
    **settings: object,
) -> int:
    """Compress a Keras model or decision trees, and report what it costs and saves.

    Settings of the recipe are options too, for example --sparsity=0.6 or --prune.epochs=8.
    'tflite-compress recipes NAME' lists them. With --max-flash or --max-ram and without --recipe, stronger
    recipes follow until the result meets the limits.

    Exit code 0: accuracy and limits are met. Exit code 1: they are not, or, with --strict, the evaluation
    samples do not establish that the accuracy is kept.
    """
    from tflite_compress.pipeline import recipe_table
    from tflite_compress.pipeline.plan import make_plan
    from tflite_compress.reporting import results_table
    from tflite_compress.trees.load_forest import is_forest

    limited = limits.max_flash is not None or limits.max_ram is not None
    forest = is_forest(model)
    spec = data_spec(data)
    plans = [
        make_plan(name, options.recipe, settings, limited, forest, spec.given) for name in options.device
    ]
    from tflite_compress.compression.compress import default_out, run_plans
    from tflite_compress.compression.preflight import check_run

    run_options = _run_options(options, limits, time, accuracy, loading, scoring)
    if options.dry_run:
        target = Path(options.out or default_out(model, [plan.device.name for plan in plans]))
        check_run(model, plans, spec, run_options, target)
        print_json(recipe_table.plans_record(plans)) if output.json else recipe_table.print_plans(plans)
        return 0
    results = with_progress(
        lambda progress: run_plans(
            model,
            plans,
            spec,
            run_options,
            options.out,
            progress,
            None,
            "compress",
            ledger.ledger,
            str(asked),
        )
    )
    if output.json:
        results_table.print_json([result.recorded for result in results])
    else:
        results_table.print_results([result.recorded for result in results])
    return 0 if all(result.passed for result in results) else 1


def _run_options(
    options: CompressOptions,
    limits: LimitOptions,
    time: TimeOptions,
    accuracy: AccuracyOptions,
    loading: ModelOptions,
    scoring: GpuOptions,
) -> Options:
    from tflite_compress.compression.options import Options

    return Options(
        **vars(accuracy),
        time_budget_seconds=time.time_budget,
        forecast=options.forecast,
        bundle=options.bundle,
        details=options.details,
        resume=options.resume,
        max_flash_bytes=limits.max_flash,
        max_ram_bytes=limits.max_ram,
        **vars(loading),
        **vars(scoring),
    )


@dataclass(frozen=True)
class RepeatOptions:
    """Output.

    Attributes:
        out: Folder for the new result. Default: the folder of the old result with -repeated appended.
    """

    out: Folder | None = None


@command(
    SECTION, "compressed/model-rp2040/manifest.json", manifest="The manifest.json in the folder of a result."
)
def repeat(manifest: str, options: RepeatOptions, output: OutputOptions) -> int:
    """Run a recorded compression again and compare the new file with the recorded one.

    Exit code 0: the bytes are equal. Exit code 1: they differ.
    """
    from tflite_compress.compression.compress import repeat_run

    result, same = with_progress(lambda progress: repeat_run(manifest, options.out, progress))
    if output.json:
        print_json({"tflite": str(result.tflite), "same_bytes": same})
    else:
        print(f"{result.tflite}: {'the same' if same else 'NOT the same'} bytes as recorded")
    return 0 if same else 1
