"""Rewrite operators that a GPU refuses by others with the same result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from tflite_compress.passes.base import Context, ConversionPass, FilePass, Stage, register
from tflite_compress.passes.values import ConvertedModel, Model
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    import numpy as np

    from tflite_compress.profiles.devices import Device

CHECKED_SAMPLES = 8
TOLERANCE = 1e-5  # of the largest output; sums of merged axes may be added in another order
CODE = "fitted-to-gpu"


@register
class GpuGraph(FilePass, frozen=True, tag="gpu_graph"):
    """Rewrite the file so that the GPU computes more of it. Recipes for a GPU get this pass by themselves.

    Indices become int32 instead of int64. Operators of five dimensions or more are computed with four.
    SQUEEZE, EXPAND_DIMS, BROADCAST_TO, small paddings and products with constants on the left are computed by
    operators that GPUs have. ARG_MAX goes over an axis on which GPUs find the right index. Sizes that follow
    from fixed shapes are stored. The file is left unchanged if an output would change.

    Attributes:
        keep_graph: Leave the operators as the converter wrote them.
    """

    stage: ClassVar = Stage.REWRITE
    changes_size: ClassVar = False

    keep_graph: bool = False

    @classmethod
    def adapts(cls, device: Device) -> bool:
        """Return True for a GPU."""
        return device.computes_on_gpu

    def resolve(self, conversion: ConversionPass, device: Device) -> GpuGraph | None:
        """Leave the pass out if the graph is to be kept, and for devices without a GPU."""
        return None if self.keep_graph or not device.computes_on_gpu else self

    def outcome(self, model: Model) -> str | None:
        """Return ``fitted to the GPU``."""
        return "fitted to the GPU"

    def apply(self, model: ConvertedModel, context: Context) -> ConvertedModel:
        """Return the model with the rewritten file.

        Args:
            model: A converted model.
            context: Calibration samples, on which outputs are compared.

        Returns:
            The model. A note says what was rewritten, or why nothing was.
        """
        from tflite_compress.runtimes.fold_shapes import fold_shapes
        from tflite_compress.tflite.edit_graph import GraphEditor
        from tflite_compress.tflite.flatbuffer import pack, unpack
        from tflite_compress.tflite.slim_file import merge_buffers

        folded, dropped = fold_shapes(model.flatbuffer)
        tree = unpack(folded)
        if len(tree.subgraphs) != 1:
            return model
        editor = GraphEditor(tree)
        changes = [f"sizes that {dropped} operators computed are stored"] if dropped else []
        changes += _rewrite(editor)
        if not changes:
            return model
        editor.drop_unused()
        merge_buffers(tree)
        content = pack(tree)
        text = f"for the GPU: {'; '.join(changes)}"
        if not _same_outputs(model, content, context.reference.splits.calibrate.inputs):
            return model.noting(Note("pass-left-out", f"gpu_graph left out, outputs would change ({text})"))
        return replace(model, flatbuffer=content).noting(Note(CODE, text))


def _rewrite(editor: object) -> list[str]:
    """Rewrite a graph in place, and return what was changed in words."""
    from tflite_compress.tflite.edit_graph import GraphEditor
    from tflite_compress.tflite.flatbuffer import tensor_name, type_name
    from tflite_compress.tflite.merge_axes import merge_axes
    from tflite_compress.tflite.narrow_indices import narrow_indices
    from tflite_compress.tflite.replace_operators import replace_refused

    assert isinstance(editor, GraphEditor)
    outputs = {int(i): type_name(editor.tensor(int(i)).type) for i in editor.graph.outputs}
    changes = [
        f"{count} {kind} computed by other operators" for kind, count in replace_refused(editor).items()
    ]
    if merged := merge_axes(editor):
        changes.append(f"{merged} operators of five dimensions or more computed with at most four")
    if narrow_indices(editor):
        named = [f"'{tensor_name(editor.tensor(i))}'" for i, kind in outputs.items() if kind == "INT64"]
        told = f", also in output {', '.join(named)}" if named else ""
        changes.append(f"indices stored as int32 instead of int64{told}")
    return changes


def _same_outputs(model: ConvertedModel, content: bytes, inputs: tuple[np.ndarray, ...]) -> bool:
    import numpy as np

    from tflite_compress.runtimes.litert import predict
    from tflite_compress.support.errors import ConversionError

    few = tuple(x[:CHECKED_SAMPLES] for x in inputs)
    ports = model.network.tensor_names
    before = predict(model.flatbuffer, few, *ports, workers=1)
    try:
        after = predict(content, few, *ports, workers=1)
    except ConversionError:
        return False
    return all(
        np.allclose(a, b, rtol=0, atol=TOLERANCE * float(np.max(np.abs(a), initial=0)), equal_nan=True)
        for a, b in zip(before, after, strict=True)
    )
