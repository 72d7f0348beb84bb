"""Run the plans of one or several devices, and repeat recorded runs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite_compress.compression.options import Options, Result, make_options
from tflite_compress.compression.preflight import check_run
from tflite_compress.pipeline.plan import Plan
from tflite_compress.reporting.ledger import remember
from tflite_compress.support.errors import DataError, UsageError
from tflite_compress.support.progress import Progress

if TYPE_CHECKING:
    from tflite_compress.data.gather import DataSpec


def run_plans(
    model: object,
    plans: Sequence[Plan],
    spec: DataSpec,
    options: Options,
    out: str | os.PathLike[str] | None,
    progress: Progress,
    expected_data: dict[str, Any] | None = None,
    command: str = "compress",
    ledger: str | None = None,
    invocation: str | None = None,
) -> list[Result]:
    """Compress a model by one plan per device. Training that plans have in common runs once.

    Args:
        model: Path of a ``.keras``, ``.h5`` or SavedModel, or a Keras model; or a forest: a file, or a fitted
            estimator.
        plans: One plan per device.
        spec: Where data comes from.
        options: Checked options.
        out: Folder for the result, with one subfolder per device if there are several;
            ``compressed/MODEL-DEVICE`` by default.
        progress: Where to report progress.
        expected_data: What a manifest recorded of the data; anything else is refused.
        command: Name of the command in the ledger.
        ledger: The ledger's file, or ``none``; see :func:`tflite_compress.reporting.ledger.ledger_path`.
        invocation: The command line that asked for it, if one did.

    Returns:
        One result per plan.

    Raises:
        CompressError: The user can correct something.
    """
    from tflite_compress.compression.open_session import open_session
    from tflite_compress.compression.session import Session
    from tflite_compress.reporting.manifest import data_record
    from tflite_compress.support.staging import result_folder

    target = Path(out) if out is not None else default_out(model, [p.device.name for p in plans])
    check_run(model, plans, spec, options, target)
    with ExitStack() as stack:
        staging = stack.enter_context(result_folder(target))
        session: Session = replace(open_session(model, spec, options, progress), invocation=invocation)
        if expected_data is not None and data_record(session.context.reference.splits) != expected_data:
            raise DataError("the data is no longer what was recorded", "Put it back and run again.")
        results = [
            session.run(plan, staging if len(plans) == 1 else staging / plan.device.name) for plan in plans
        ]
        if len(plans) > 1:
            _write_index(staging, results)
    results = [replace(r, tflite=target / r.tflite.relative_to(staging)) for r in results]
    remember(ledger, command, [(r.tflite, r.report, r.manifest) for r in results], progress)
    return results


def repeat_run(
    manifest: str | os.PathLike[str],
    out: str | os.PathLike[str] | None,
    progress: Progress,
    resume: bool | None = True,
    ledger: str | None = None,
) -> tuple[Result, bool]:
    """Run again what a manifest records.

    Args:
        manifest: Path of a ``manifest.json``.
        out: Folder for the result; the manifest's folder with ``-repeated`` by default.
        progress: Where to report progress.
        resume: See :class:`Options`.
        ledger: The ledger's file, or ``none``; see :func:`tflite_compress.reporting.ledger.ledger_path`.

    Returns:
        The result, and True where its ``.tflite`` equals the recorded one byte for byte.

    Raises:
        CompressError: The manifest cannot be read, or model or data are not what it recorded.
    """
    from tflite_compress.compression.recorded_arguments import recorded_spec
    from tflite_compress.pipeline.recipes import recipe_from
    from tflite_compress.profiles.devices import Device
    from tflite_compress.profiles.toml_files import typed
    from tflite_compress.reporting.manifest import read_manifest
    from tflite_compress.support.file_manifest import hash_path

    path = Path(manifest)
    record = read_manifest(path)
    model = Path(record["model"]["path"])
    if not model.exists() or hash_path(model) != record["model"]["sha256"]:
        raise UsageError(
            f"{path}: model {model} is missing or no longer the one recorded", "Put it back and run again."
        )
    device = typed(record["device"], Device, f"{path}: device")
    recipe = recipe_from(record["recipe"], f"{path}: recipe")
    arguments = record["arguments"]
    as_recorded = {"seed": record["seed"], "resume": resume, "forecast": False}
    options = make_options({**arguments["options"], **as_recorded})
    target = (
        out
        if out is not None
        else path.absolute().parent.with_name(path.absolute().parent.name + "-repeated")
    )
    plan = Plan(device, (recipe,))
    spec = recorded_spec(arguments["data"])
    result = run_plans(str(model), [plan], spec, options, target, progress, record["data"], "repeat", ledger)
    same = result[0].manifest["outputs"] == record["outputs"]
    return result[0], same


def default_out(model: object, devices: Sequence[str]) -> Path:
    """``compressed/MODEL-DEVICE``, or ``compressed/MODEL`` for several devices."""
    stem = Path(model).stem if isinstance(model, str | os.PathLike) else str(getattr(model, "name", "model"))
    return Path("compressed") / (f"{stem}-{Path(devices[0]).stem}" if len(devices) == 1 else stem)


def _write_index(staging: Path, results: Sequence[Result]) -> None:
    """Write the manifest of a run over several devices: where each one's files are."""
    from tflite_compress.support.file_manifest import fingerprint
    from tflite_compress.support.staging import MANIFEST, write_file

    files = {p.relative_to(staging).as_posix(): p.read_bytes() for p in staging.rglob("*") if p.is_file()}
    index = {
        "schema": 1,
        "devices": [r.device for r in results],
        "outputs": {name: fingerprint(content) for name, content in sorted(files.items())},
    }
    write_file(staging / MANIFEST, json.dumps(index, indent=2) + "\n")
