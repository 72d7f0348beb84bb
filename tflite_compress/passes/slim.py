"""Remove parts of the flatbuffer that no runtime reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from tflite_compress.passes.base import Context, FilePass, Stage, register
from tflite_compress.passes.values import ConvertedModel
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    import numpy as np

CHECKED_SAMPLES = 8
MAX_MICRO_BYTES = 2 << 20  # larger files fit no microcontroller; TFLite Micro's kernels are slow


@register
class Slim(FilePass, frozen=True, tag="slim"):
    """Remove parts of the file that no runtime reads.

    Each step is kept only if all outputs stay equal bit for bit.

    Attributes:
        slim: ``safe`` shortens the names of inner tensors, removes recorded ranges and the converter's
            metadata, and stores equal buffers once. ``full`` also removes signatures and all metadata, which
            apps read and firmware does not. ``none`` leaves the file unchanged.
    """

    stage: ClassVar = Stage.SLIM
    preserves_outputs: ClassVar = True

    slim: Literal["none", "safe", "full"] = "safe"

    def apply(self, model: ConvertedModel, context: Context) -> ConvertedModel:
        """Return the model with a smaller file and the same outputs.

        Args:
            model: A converted model.
            context: Calibration samples, on which outputs are compared.

        Returns:
            The model. A note names each step that is left out because it would change an output.
        """
        return self._slimmed(model, context, len(model.flatbuffer) <= MAX_MICRO_BYTES)

    def apply_for_comparison(self, model: ConvertedModel, context: Context) -> ConvertedModel:
        """Return the model with a smaller file that no device gets: outputs are compared in LiteRT only.

        Args:
            model: A converted model.
            context: Calibration samples, on which outputs are compared.
        """
        return self._slimmed(model, context, False)

    def _slimmed(self, model: ConvertedModel, context: Context, runs_micro: bool) -> ConvertedModel:
        from tflite_compress.models.layer_table import layer_table
        from tflite_compress.tflite.slim_file import list_slimming_steps, slim_file

        if self.slim == "none":
            return model
        inputs = tuple(x[:CHECKED_SAMPLES] for x in context.reference.splits.calibrate.inputs)
        same = _comparison(model, inputs, runs_micro)
        steps = list_slimming_steps(self.slim, layer_table(model.network))
        everything = slim_file(model.flatbuffer, steps)
        if same(everything):
            return replace(model, flatbuffer=everything)
        content = model.flatbuffer
        notes: list[Note] = []
        for step in steps:
            candidate = slim_file(content, (step,))
            if same(candidate):
                content = candidate
            else:
                notes.append(
                    Note(
                        "slimming-step-left-out", f"slimming left out '{step.__name__}': outputs would change"
                    )
                )
        return replace(model, flatbuffer=content).noting(*notes)


def _comparison(
    model: ConvertedModel, inputs: tuple[np.ndarray, ...], runs_micro: bool
) -> Callable[[bytes], bool]:
    """Return a function that compares a file's outputs with the model's, in LiteRT and TFLite Micro.

    TFLite Micro is left out if it cannot run the model, and where ``runs_micro`` is False.
    """
    import numpy as np

    from tflite_compress.runtimes.litert import predict
    from tflite_compress.runtimes.tflm import predict_raw_files

    ports = model.network.tensor_names
    before = predict(model.flatbuffer, inputs, *ports, workers=1)

    def same(content: bytes) -> bool:
        try:
            after = predict(content, inputs, *ports, workers=1)
        except ConversionError:
            return False
        pairs = [*zip(before, after, strict=True)]
        if runs_micro:
            first, *others = predict_raw_files((model.flatbuffer, content), inputs, ports)
            if not isinstance(first, ConversionError):  # else TFLite Micro lacks an operator or a type
                (second,) = others
                if isinstance(second, ConversionError):
                    return False
                for x, y in zip(first, second, strict=True):
                    pairs += zip(x, y, strict=True)
        return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)

    return same
