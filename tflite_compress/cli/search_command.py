"""The command that searches for the best files: search."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tflite_compress.cli.command_registry import command
from tflite_compress.cli.option_types import Count, Duration, Folder, choices_listed
from tflite_compress.cli.run_log import with_progress
from tflite_compress.cli.shared_calls import check_page, print_json, write_page
from tflite_compress.cli.shared_options import (
    AccuracyOptions,
    DataOptions,
    LedgerOptions,
    LimitOptions,
    ModelOptions,
    OutputOptions,
    PageOptions,
    TargetOptions,
)

if TYPE_CHECKING:
    from tflite_compress.searching.search import SearchSettings

Objectives = Annotated[
    tuple[str, ...], choices_listed("size", "latency", "gzip", "ram", "flash", "macs", "drop")
]


@dataclass(frozen=True)
class SearchOptions:
    """Search.

    Attributes:
        minimize: What to minimize, separated by commas: size, gzip, latency, ram, flash, macs, drop.
        time_budget: Maximum time, for example 90s, 30m or 2h.
        trials: Maximum number of trials.
        workers: Number of parallel processes.
        engine: local, or ray for a Ray cluster. RAY_ADDRESS names the cluster; without it, Ray starts on
            this machine.
        sampler: How trials are chosen.
        storage: Where the Optuna study is stored: a .db or .log file, or an Optuna storage URL.
        restart: Delete the state of an earlier, unfinished run of this search.
        out: Folder for the result. Default: searched/MODEL-DEVICE.
    """

    minimize: Objectives = ("size", "latency")
    time_budget: Duration = 1800.0
    trials: Count | None = None
    workers: Count = 1
    engine: Literal["local", "ray"] = "local"
    sampler: Literal["tpe", "nsga2", "random"] = "tpe"
    storage: str | None = None
    restart: bool = False
    out: Folder | None = None


@command(
    "Compress a model",
    "model.keras --device=rp2040 --data=data.npz --time-budget=30m",
    model="A .keras or .h5 file, or a SavedModel folder.",
)
def search(
    model: str,
    target: TargetOptions,
    data: DataOptions,
    options: SearchOptions,
    limits: LimitOptions,
    accuracy: AccuracyOptions,
    loading: ModelOptions,
    ledger: LedgerOptions,
    output: OutputOptions,
    page: PageOptions,
) -> int:
    """Search for the smallest and fastest .tflite within an accuracy drop.

    Chooses the channels of each layer, the bits of its weights, shared values and encodings that help on the
    device. If the search is interrupted, run the same command again to resume it. Its state is in OUT.search.

    Exit code 0: a file was found. Exit code 1: no file meets the limits, or, with --strict, the evaluation
    samples establish for none that the accuracy is kept.
    """
    from tflite_compress.searching.search import search as run

    check_page(page)
    settings = _settings(options)
    found = with_progress(
        lambda progress: run(
            model,
            target.device,
            data=data.data,
            train=data.train,
            calibrate=data.calibrate,
            evaluate=data.eval,
            unlabelled=data.unlabelled,
            preprocess=data.preprocess,
            resize=data.resize,
            settings=settings,
            out=options.out,
            progress=progress,
            ledger=ledger.ledger,
            **vars(accuracy),
            max_flash_bytes=limits.max_flash,
            max_ram_bytes=limits.max_ram,
            **vars(loading),
        )
    )
    if output.json:
        print_json(found.record)
    else:
        from tflite_compress.searching.search_table import print_search

        print_search(found)
    if page.html is not None:
        from tflite_compress.searching.search_page import search_page

        write_page(page.html, output, search_page(found, Path(page.html)))
    return 0 if found.chosen is not None else 1


def _settings(options: SearchOptions) -> SearchSettings:
    from tflite_compress.searching.search import SearchSettings

    return SearchSettings(
        minimize=options.minimize,
        time_budget_seconds=options.time_budget,
        trials=options.trials,
        workers=options.workers,
        engine=options.engine,
        sampler=options.sampler,
        storage=options.storage,
        restart=options.restart,
    )
