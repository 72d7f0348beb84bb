"""The command that searches for the best files within a budget."""

from __future__ import annotations

from typing import Any

from tflite_compress.cli.option_values import (
    bytes_of,
    flag,
    names_of,
    quietly,
    refuse_extra,
    seconds_of,
    sources_of,
    text,
    words_of,
)
from tflite_compress.support.errors import UsageError


def search(
    model: Any = None,
    *extra: str,
    device: Any = None,
    data: Any = None,
    train: Any = None,
    calibrate: Any = None,
    eval: Any = None,
    minimize: Any = "size,latency",
    max_drop: float = 0.01,
    max_flash: Any = None,
    max_ram: Any = None,
    budget: Any = "30m",
    trials: Any = None,
    workers: Any = 1,
    engine: Any = "local",
    sampler: Any = "tpe",
    storage: Any = None,
    restart: bool = False,
    out: Any = None,
    preprocess: Any = "none",
    resize: bool = False,
    metric: Any = None,
    loss: Any = None,
    custom_objects: Any = None,
    trust_model: bool = False,
    seed: int = 0,
    ledger: Any = None,
    json: bool = False,
) -> int:
    """Search for the smallest and fastest files within a drop in accuracy. Exit code 1 if there is none.

    Sets the channels of each layer, the bits of its weights, shared values and encodings, as far as the
    device gains by them. Killed or interrupted, the same command continues; its state lies in OUT.search.

    Args:
        model: A .keras or .h5 file, or a SavedModel folder.
        extra: Nothing else is expected.
        device: Device profile; a name or the path of a TOML file.
        data: .npz file, folder of images (one subfolder a class), or module:function. Split by the tool.
        train: Training data, if it comes separately.
        calibrate: Calibration data (representative dataset), if it comes separately.
        eval: Evaluation data, if it comes separately.
        minimize: What to minimize, separated by commas: size, gzip, latency, ram, flash, macs, drop.
        max_drop: Accuracy that may be lost; 0.01 is one point of top-1.
        max_flash: Most flash for model and runtime, such as 256KB.
        max_ram: Most RAM, such as 64KB.
        budget: How long to search, such as 90s, 30m or 2h.
        trials: Most trials, if time is not to be the only limit.
        workers: Processes that work at the same time.
        engine: local, or ray for a cluster (RAY_ADDRESS; without it one is started on this machine).
        sampler: How points are chosen: tpe, nsga2 or random.
        storage: Where the study is kept: a .db or .log file, or an Optuna storage URL.
        restart: Throw away what an earlier run of this search left.
        out: Folder for the result; searched/MODEL-DEVICE by default.
        preprocess: none, unit (0 to 1), symmetric (-1 to 1), or module:function on the input arrays.
        resize: Resize images to the model's input.
        metric: top1, top5, binary_accuracy, r2, mae, mse, or module:function; inferred by default.
        loss: Keras loss name or module:function for fine-tuning; inferred by default.
        custom_objects: module:dict with the custom classes of the model.
        trust_model: Run code that is in the model file, such as Lambda layers.
        seed: Seed of the split, of training and of the sampler.
        ledger: File that keeps a record of runs, or none.
        json: Print everything as JSON.
    """
    refuse_extra(extra)
    if model is None:
        raise UsageError("no model named", "For example: tflite-compress search model.keras --device=rp2040")
    names = names_of(device)
    if len(names) != 1:
        raise UsageError("--device: a search is for one device", "Call it once for each.")
    from tflite_compress.searching.search import SearchSettings
    from tflite_compress.searching.search import search as run

    settings = SearchSettings(
        minimize=words_of(minimize, "minimize"),
        budget_seconds=seconds_of(budget, "budget"),
        trials=trials,
        workers=workers,
        engine=str(engine),
        sampler=str(sampler),
        storage=text(storage),
        restart=flag(restart, "restart"),
    )
    sources = sources_of(data, train, calibrate, eval)
    options = {
        "max_drop": max_drop,
        "metric": text(metric),
        "loss": text(loss),
        "custom_objects": text(custom_objects),
        "trust_model": flag(trust_model, "trust-model"),
        "seed": seed,
        "max_flash_bytes": bytes_of(max_flash, "max-flash"),
        "max_ram_bytes": bytes_of(max_ram, "max-ram"),
    }
    found = quietly(
        lambda progress: run(
            str(model),
            names[0],
            **sources,
            preprocess=str(preprocess),
            resize=flag(resize, "resize"),
            settings=settings,
            out=text(out),
            progress=progress,
            ledger=text(ledger),
            **options,
        )
    )
    if flag(json, "json"):
        import json as encoder

        print(encoder.dumps(found.record, indent=2))
    else:
        from tflite_compress.reporting.search_table import print_search

        print_search(found)
    return 0 if found.chosen is not None else 1
