"""Scale values by powers of two, so that they fit float16, in which phones' GPUs compute.

Float16 holds numbers up to 65,504. A sum of products or a square beyond it becomes infinite, and NaN after
the next subtraction. Between two layers, the values are stored divided by a power of two: the weights of the
first layer are divided by it, those of the second multiplied. A LayerNormalization that is written out as
operators computes the same from scaled rows with a scaled epsilon. The function of the file stays the same,
in real numbers and in float32.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta

from tflite_compress.passes.base import Context, ConversionPass, FilePass, Stage, register
from tflite_compress.passes.values import ConvertedModel
from tflite_compress.support.notes import Note, named

if TYPE_CHECKING:
    import numpy as np

    from tflite_compress.inspection.float16_peaks import Peaks
    from tflite_compress.profiles.devices import Device
    from tflite_compress.tflite.rescale import Rescaled

CHECKED_SAMPLES = 8
MEASURED_SAMPLES = 64
TOLERANCE = 1e-5  # of the largest output; for operators whose kernels approximate, such as RSQRT


@register
class RepairFloat16(FilePass, frozen=True, tag="repair_float16"):
    """Scale layers by powers of two, so that their values and sums fit float16.

    Only layers that need it on the calibration samples are changed. The pass is left out if outputs would
    change in float32.

    Attributes:
        headroom: Values may be this many times as large as on the calibration samples.
    """

    stage: ClassVar = Stage.REWRITE
    changes_size: ClassVar = False

    headroom: Annotated[float, Meta(ge=1, le=1024)] = 4.0

    @property
    def needs_calibration(self) -> bool:
        """True: ranges are measured on calibration samples."""
        return True

    @property
    def allows_repairs(self) -> bool:
        """False: the recipe already has this repair."""
        return False

    @classmethod
    def repairs(cls, conversion: ConversionPass, device: Device) -> bool:
        """Return True for float models on a GPU."""
        return device.computes_on_gpu and conversion.precision in ("float32", "float16")

    def summary(self) -> str:
        """Return ``scaled for float16``."""
        return "scaled for float16"

    def apply(self, model: ConvertedModel, context: Context) -> ConvertedModel:
        """Return the model with scaled layers.

        Args:
            model: A converted model.
            context: Calibration samples, on which ranges are measured and outputs compared; evaluation
                samples where calibration samples are random.

        Returns:
            The model. Notes name the layers that were scaled, and those that float16 cannot hold.
        """
        from tflite_compress.data.gather import RANDOM_ORIGIN
        from tflite_compress.inspection.float16_peaks import FLOAT16_MAX, measure_peaks
        from tflite_compress.tflite.rescale import rescale

        splits = context.reference.splits
        is_random = splits.calibrate.origin == RANDOM_ORIGIN
        inputs = (splits.evaluate if is_random else splits.calibrate).inputs
        few = tuple(x[:MEASURED_SAMPLES] for x in inputs)
        with context.progress.step("measuring ranges for float16"):
            peaks = measure_peaks(model.flatbuffer, few, model.network.tensor_names[0], context.budget)
        made = rescale(model.flatbuffer, peaks.values, peaks.sums, FLOAT16_MAX, self.headroom)
        if made.content == model.flatbuffer:
            fits = Note("pass-left-out", "repair_float16 left out: all values and sums fit float16")
            return model.noting(*(_beyond(model, made, peaks) or [fits]))
        if not _same_outputs(model, made.content, tuple(x[:CHECKED_SAMPLES] for x in inputs)):
            return model.noting(Note("pass-left-out", "repair_float16 left out: outputs would change"))
        notes = (_scaled(model, made, peaks), *_beyond(model, made, peaks))
        return replace(model, flatbuffer=made.content).noting(*notes)


def _same_outputs(model: ConvertedModel, content: bytes, inputs: tuple[np.ndarray, ...]) -> bool:
    import numpy as np

    from tflite_compress.runtimes.litert import predict

    ports = model.network.tensor_names
    before, after = (predict(file, inputs, *ports, workers=1) for file in (model.flatbuffer, content))
    return all(
        np.allclose(a, b, rtol=0, atol=TOLERANCE * float(np.max(np.abs(a), initial=0)), equal_nan=True)
        for a, b in zip(before, after, strict=True)
    )


def _scaled(model: ConvertedModel, made: Rescaled, peaks: Peaks) -> Note:
    """Name the layers that did not fit and the multiplications that were inserted."""
    from tflite_compress.inspection.float16_peaks import FLOAT16_MAX

    over = [i for i in peaks.values if peaks.of(i) > FLOAT16_MAX]
    layers = _layers(model, over or list(made.exponents))
    reach = max(peaks.of(i) for i in peaks.values)
    extra = "without further operators"
    if made.multiplications:
        extra = f"with {made.multiplications} more multiplication{'s' if made.multiplications > 1 else ''}"
    return Note(
        "scaled-for-float16",
        f"values and sums up to {_rounded(reach)} scaled by powers of two to fit float16 (65,504), {extra}: "
        f"{named(layers)}",
    )


def _beyond(model: ConvertedModel, made: Rescaled, peaks: Peaks) -> list[Note]:
    """Name the layers that cannot be repaired."""
    layers = _layers(model, made.unrepaired)
    if not layers:
        return []
    reach = max(peaks.of(i) for i in made.unrepaired)
    return [
        Note(
            "beyond-float16",
            f"{named(layers)}: values up to {_rounded(reach)}, which float16 cannot hold (65,504) and "
            "scaling cannot repair, because the model's outputs or the next operator need them as they are",
            "warning",
        )
    ]


def _rounded(value: float) -> str:
    """Return a large number with three significant digits."""
    return f"{float(f'{value:.3g}'):,.0f}"


def _layers(model: ConvertedModel, tensors: Collection[int]) -> list[str]:
    """Return the layers that compute tensors, in order of execution."""
    from tflite_compress.inspection.float16_peaks import layers_of
    from tflite_compress.models.layer_table import layer_table

    return layers_of(model.flatbuffer, tensors, layer_table(model.network))
