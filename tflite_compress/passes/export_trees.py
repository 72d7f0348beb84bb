"""Convert a forest to ``.tflite``; see ``trees.export``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from tflite_compress.passes.base import Context, ConversionPass, Domain, Stage, register
from tflite_compress.passes.setting_bounds import Count
from tflite_compress.passes.values import ConvertedModel, FloatModel
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.profiles.devices import Device


@register
class ExportTrees(ConversionPass, frozen=True, tag="export_trees"):
    """Convert the forest to a ``.tflite`` of builtin operators.

    Attributes:
        form: ``traversal`` follows each tree from root to leaf, ``matrix`` evaluates all splits at once.
            ``auto`` chooses the form with the lower estimated latency.
        tables: Runtime whose lookup operators read the tables; ``auto`` takes the device's.
        missing: Missing values (NaN): ``keep`` handles them as the original forest does, ``none`` does not
            handle them, ``auto`` handles them if the data contain some.
        batch: Batch size of the file.
    """

    stage: ClassVar = Stage.CONVERT
    domain: ClassVar = Domain.FOREST

    form: Literal["auto", "traversal", "matrix"] = "auto"
    tables: Literal["auto", "litert", "tflm"] = "auto"
    missing: Literal["auto", "keep", "none"] = "auto"
    batch: Count = 1

    @property
    def precision(self) -> Literal["float32"]:
        """The type of the arithmetic; tables may be narrower."""
        return "float32"

    @property
    def needs_calibration(self) -> bool:
        """False: the export needs no samples."""
        return False

    @property
    def per_channel(self) -> bool:
        """True: each feature has its own scale."""
        return True

    def resolve(self, conversion: ConversionPass, device: Device) -> ExportTrees:
        """Fill in the runtime whose operators read the tables."""
        if self.tables != "auto":
            return self
        return msgspec.structs.replace(self, tables="tflm" if device.runtime.name == "tflm" else "litert")

    def baseline(self) -> ExportTrees:
        """Return the settings of the baseline: the same tables, all trees."""
        return ExportTrees(tables="tflm" if self.tables == "tflm" else "litert")

    def apply(self, model: FloatModel, context: Context) -> ConvertedModel:
        """Return the forest as a ``.tflite``.

        Args:
            model: A forest.
            context: Samples that show whether missing values occur.
        """
        from tflite_compress.passes.algorithms.forest_score import network_of
        from tflite_compress.trees.export import TensorNames, cheaper_form, export_forest

        network = network_of(model)
        forest, micro = network.forest, self.tables == "tflm"
        form = self.form if self.form != "auto" else cheaper_form(forest, micro, self.batch)[0]
        missing, notes = _missing(self, model, context)
        ports = TensorNames(network.inputs[0].name, network.outputs[0].name)
        with context.progress.step("writing the .tflite"):
            content = export_forest(forest, network.name, ports, micro, form, missing, self.batch)
        return model.converted(content).noting(*notes)


def _missing(config: ExportTrees, model: FloatModel, context: Context) -> tuple[bool, tuple[Note, ...]]:
    """Return whether NaN is handled, and a note if it is not."""
    import numpy as np

    from tflite_compress.passes.algorithms.forest_score import network_of

    if network_of(model).forest.refuses_nan or config.missing == "none":
        return False, ()
    splits = context.reference.splits
    roles = (splits.train, splits.calibrate, splits.evaluate)
    if config.missing == "keep" or any(bool(np.isnan(s.inputs[0]).any()) for s in roles):
        return True, ()
    text = "missing values (NaN) are not handled: the data contain none; --missing=keep handles them"
    return False, (Note("missing-values-not-handled", text),)
