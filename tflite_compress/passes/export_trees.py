"""Writing a forest as ``.tflite``; see ``trees.export``."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from tflite_compress.passes.base import Context, Count, Model, PassConfig


class ExportTrees(PassConfig, frozen=True, tag="export-trees"):
    """Write the forest as a ``.tflite`` of builtin operators.

    Attributes:
        form: ``traversal`` steps down the trees, ``matrix`` decides all splits at once; ``auto`` takes
            the one with the lower estimated time.
        tables: For which runtime tables are stored; ``auto`` takes the device's.
        missing: ``keep`` sends samples with NaN where the source does; ``auto`` does so if there are such
            samples in the data; ``none`` never.
        batch: Samples at a time.
    """

    form: Literal["auto", "traversal", "matrix"] = "auto"
    tables: Literal["auto", "litert", "tflm"] = "auto"
    missing: Literal["auto", "keep", "none"] = "auto"
    batch: Count = 1

    @property
    def precision(self) -> Literal["float32"]:
        """The type it computes in; tables may be narrower."""
        return "float32"

    @property
    def needs_calibration(self) -> bool:
        """Export itself measures nothing."""
        return False


def apply(config: ExportTrees, model: Model, context: Context) -> Model:
    """Write the file in the form asked for."""
    from tflite_compress.passes.forest_score import network_of
    from tflite_compress.trees.export import Ports, cheaper_form, export

    network = network_of(model)
    forest, micro = network.forest, config.tables == "tflm"
    form = config.form if config.form != "auto" else cheaper_form(forest, micro, config.batch)[0]
    missing, notes = _missing(config, model, context)
    ports = Ports(network.inputs[0].name, network.outputs[0].name)
    with context.progress.step("writing the .tflite"):
        content = export(forest, network.name, ports, micro, form, missing, config.batch)
    return replace(model, flatbuffer=content).noting(*notes)


def _missing(config: ExportTrees, model: Model, context: Context) -> tuple[bool, tuple[str, ...]]:
    """Whether NaN is looked after, and what to say if it is not."""
    from tflite_compress.passes.forest_score import network_of

    if network_of(model).forest.refuses_nan or config.missing == "none":
        return False, ()
    splits = context.reference.splits
    roles = (splits.train, splits.calibrate, splits.evaluate)
    if config.missing == "keep" or any(bool(np.isnan(s.inputs[0]).any()) for s in roles):
        return True, ()
    note = "samples with NaN are not looked after, for there are none in the data; --missing=keep does"
    return False, (note,)
