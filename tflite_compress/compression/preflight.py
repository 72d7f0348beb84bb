"""Checks before a run that take no TensorFlow: files, shapes, references, packages, disk.

``--dry-run`` makes them too, so that it refuses what the run would refuse after loading the model.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tflite_compress.compression.options import Options
from tflite_compress.data.file_source import FileSource, find_source
from tflite_compress.data.gather import DataSpec
from tflite_compress.data.sources import array_function
from tflite_compress.models.declared_inputs import declared_inputs
from tflite_compress.models.network import TensorSpec
from tflite_compress.passes.base import Stage
from tflite_compress.pipeline.plan import Plan, recipe_without_data
from tflite_compress.scoring.choose_task import check_metric, named_tasks
from tflite_compress.scoring.detector import check_head
from tflite_compress.support.errors import DataError, ModelError
from tflite_compress.support.packages import require_packages
from tflite_compress.support.references import resolve_reference
from tflite_compress.support.staging import full_disk, require_writable
from tflite_compress.trees.load_forest import is_forest

CONVERSION_COPIES = 2  # of the weights in temporary files: the converter goes by way of a SavedModel


def check_run(model: object, plans: Sequence[Plan], spec: DataSpec, options: Options, target: Path) -> None:
    """Check what is cheap before a run over several devices.

    Args:
        model: As for :func:`~tflite_compress.compression.compress.run_plans`.
        plans: One plan per device.
        spec: Where data comes from.
        options: Checked options.
        target: Folder for the result.

    Raises:
        CompressError: The run would fail.
    """
    require_data(plans, spec)
    check_inputs(model, spec, options)
    require_writable(target)


def check_inputs(model: object, spec: DataSpec, options: Options) -> None:
    """Check model file, data sources, names of functions, installed packages and disk space.

    Args:
        model: A path, or a model object, which is not checked.
        spec: Where data comes from.
        options: Checked options.

    Raises:
        CompressError: One of them is missing, cannot be read, or does not fit the others.
    """
    forest = is_forest(model)
    declared: tuple[TensorSpec, ...] = ()
    if isinstance(model, str | os.PathLike):
        declared = _model_inputs(Path(model), forest)
    for source in (spec.data, spec.train, spec.calibrate, spec.evaluate, spec.unlabelled):
        if isinstance(source, str | Path | FileSource):
            _check_source(source, spec, declared if options.cut is None else ())
    _check_references(spec, options)
    if not forest:
        require_packages()


def _require_training(plans: Sequence[Plan]) -> None:
    recipes = [plan.candidates[0] for plan in plans if plan.trains and not plan.candidates[0].for_forests]
    if not recipes:
        names = ", ".join(dict.fromkeys(plan.candidates[0].name for plan in plans))
        raise DataError(
            f"unlabelled data are for recipes that train a network, and {names} does not",
            "Leave out --unlabelled, or choose a recipe that trains, such as --recipe=prune-int8.",
        )


def require_data(plans: Sequence[Plan], spec: DataSpec) -> None:
    """Raise before any work if a recipe needs data and none was given.

    Evaluation data alone is enough if no candidate trains or calibrates: its score may call for each of them.

    Args:
        plans: One plan per device.
        spec: Where data comes from.

    Raises:
        DataError: A recipe trains or calibrates, and no data for that is given; or unlabelled data are given
            and nothing learns from them.
    """
    if spec.unlabelled is not None:
        _require_training(plans)
    if spec.given and not spec.only_evaluation:
        return
    given = "only evaluation data" if spec.given else "no data"
    for plan in plans:
        recipe = plan.candidates[0]
        tried = plan.candidates if spec.given else plan.candidates[:1]
        asked = {step.tag() for step in recipe.passes}
        calibrates = any(
            step.needs_calibration and (step.tag() in asked or step.stage is not Stage.REWRITE)
            for candidate in tried
            for step in candidate.passes
        )
        if (plan.trains or calibrates) and recipe.for_forests:
            raise DataError(
                f"recipe '{recipe.name}' for {plan.device.name} chooses its settings by accuracy, but "
                f"{given} was given",
                "Give --data=FILE.npz or module:function; or --recipe=forest-exact, which keeps "
                "every prediction.",
            )
        if plan.trains or calibrates:
            what = "trains" if plan.trains else "calibrates int8 ranges"
            other = recipe_without_data(plan.device)
            raise DataError(
                f"recipe '{recipe.name}' for {plan.device.name} {what} and {given} was given",
                "Give --data=FILE.npz, a folder of images or module:function"
                + (f"; or --recipe={other}, which needs no data." if other else "."),
            )


def _model_inputs(path: Path, forest: bool) -> tuple[TensorSpec, ...]:
    """Check that a model file can be read and return the inputs it declares, none for a forest."""
    if forest and not path.is_file():
        raise ModelError(f"{path}: no such file", "Check the path of the model.")
    if path.exists() and not os.access(path, os.R_OK):
        raise ModelError(f"{path}: cannot be read (permission denied)", "Change its permissions.")
    declared = () if forest else declared_inputs(path)
    files = path.rglob("*") if path.is_dir() else (path,)
    if scarce := full_disk(CONVERSION_COPIES * sum(f.stat().st_size for f in files if f.is_file())):
        raise scarce
    return declared


def _check_source(source: str | Path | FileSource, spec: DataSpec, declared: tuple[TensorSpec, ...]) -> None:
    """Check that a data source exists, and its samples against the model's input as far as that is cheap."""
    file = find_source(source)
    if file is None:
        resolve_reference(str(source), "--data")
        return
    keeps_shape = isinstance(spec.preprocess, str) and ":" not in spec.preprocess
    file.check(declared[0] if len(declared) == 1 and keeps_shape else None)


def _check_references(spec: DataSpec, options: Options) -> None:
    """Check the names of metric, loss, preprocessing and custom classes."""
    if spec.preprocess != "none":
        array_function(spec.preprocess)
    if options.task is not None:
        named_tasks(options.task)
    check_head(options.head_options)
    if options.metric is not None:
        check_metric(options.metric, options.task)
    if isinstance(options.custom_objects, str):
        resolve_reference(options.custom_objects, "--custom-objects")
    if isinstance(options.loss, str):
        from tflite_compress.passes.algorithms.distillation import user_loss

        user_loss(options.loss)
