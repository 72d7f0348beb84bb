"""Load a ``.tflite`` in LiteRT so that every tensor can be read after a run."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass

import numpy as np

from tflite_compress.tflite.flatbuffer import operator_name, read_tree, tensor_name, text_of
from tflite_compress.tflite.layer_names import NO_LAYERS, WEIGHTED, LayerTable
from tflite_compress.tflite.macs import constant
from tflite_compress.tflite.state import find_state
from tflite_compress.tflite.tree import Operator

_MOVES = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "PAD")


@dataclass(frozen=True)
class LoadedOperator:
    """One operator of a loaded file.

    Attributes:
        name: Name of its output tensor.
        layer: The Keras layer it belongs to.
        members: All Keras layers fused into it; empty if the layers of the model are not known.
        kind: The operator's name in ``schema.fbs``.
        output: Index of its output tensor.
        inputs: Indices of its input tensors.
    """

    name: str
    layer: str
    members: tuple[str, ...]
    kind: str
    output: int
    inputs: tuple[int, ...]

    @property
    def computes(self) -> bool:
        """False if it only moves or converts values."""
        return self.kind not in _MOVES


class LoadedModel:
    """A ``.tflite`` loaded with all its tensors kept. Operators without outputs are left out.

    Args:
        content: The file's bytes.
        layers: The layers of the Keras model it was made from.
    """

    def __init__(self, content: bytes, layers: LayerTable = NO_LAYERS) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self.tree = read_tree(content)
        self.graph = self.tree.subgraphs[0]
        ends = [e for s in self.tree.signatureDefs or [] for e in s.outputs or []]
        self._ends = {int(entry.tensorIndex): text_of(entry.name) for entry in ends}
        self.operators = [self._operator(op, layers) for op in self.graph.operators if len(op.outputs)]
        self.of_name = {op.name: op for op in self.operators}
        self._make = functools.partial(
            Interpreter,
            model_content=content,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._has_resources = find_state(self.tree).has_resources
        self._load()
        self._details = {d["index"]: d for d in self._interpreter.get_tensor_details()}
        signatures = self._interpreter._get_full_signature_list()
        self._inputs = next(iter(signatures.values()))["inputs"]

    def _load(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that all tensors are kept
            self._interpreter = self._make()
        self._interpreter.allocate_tensors()
        self._is_fresh = True

    def _operator(self, op: Operator, layers: LayerTable) -> LoadedOperator:
        output = int(op.outputs[0])
        name = tensor_name(self.graph.tensors[output])
        inputs = tuple(int(i) for i in op.inputs if i >= 0)
        kind = operator_name(self.tree, op)
        layer = layers.layer_of(self.tree, self.graph, op) or self._ends.get(output, name)
        return LoadedOperator(name, layer, layers.members_of(self.tree, self.graph, op), kind, output, inputs)

    def computing(self, name: str) -> LoadedOperator:
        """Return the operator that computes a tensor, skipping the DEQUANTIZE that names a float output."""
        found = self.of_name[name]
        by_output = {op.output: op for op in self.operators}
        while found.kind == "DEQUANTIZE" and found.inputs[0] in by_output:
            found = by_output[found.inputs[0]]
        return found

    def run(self, sample: tuple[np.ndarray, ...], names: tuple[str, ...]) -> None:
        """Run once from a fresh state."""
        from tflite_compress.runtimes.litert import quantize_array

        if self._has_resources and not self._is_fresh:
            self._load()  # only a new interpreter resets resource variables
        self._interpreter.reset_all_variables()
        self._is_fresh = False
        for name, array in zip(names, sample, strict=True):
            index = self._inputs[name]
            self._interpreter.set_tensor(index, quantize_array(array, self._details[index]))
        self._interpreter.invoke()

    def value(self, index: int) -> np.ndarray:
        """Return a tensor after the last run, as real numbers."""
        from tflite_compress.runtimes.litert import dequantize_array

        return dequantize_array(self._interpreter.get_tensor(index), self._details[index])

    def holds(self, index: int) -> bool:
        """Return True if a tensor has values after a run; some in branches and loops never get any."""
        try:
            self._interpreter.get_tensor(index)
        except ValueError:
            return False
        return True

    def represented(self, index: int, real: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
        """Return real numbers as quantized by this tensor, and the range it can represent."""
        from tflite_compress.runtimes.litert import dequantize_array, quantize_array

        bounds = self.bounds(index)
        if bounds is None:
            return real, (-np.inf, np.inf)
        detail = self._details[index]
        half = detail["quantization"][0] / 2
        return dequantize_array(quantize_array(real, detail), detail), (bounds[0] - half, bounds[1] + half)

    def bounds(self, index: int) -> tuple[float, float] | None:
        """Return the smallest and largest number of a quantized tensor; None if it is not quantized."""
        detail = self._details[index]
        scale, point = detail["quantization"]
        if not scale or not np.issubdtype(detail["dtype"], np.integer):
            return None
        info = np.iinfo(detail["dtype"])
        return (info.min - point) * scale, (info.max - point) * scale

    def weights(self, op: LoadedOperator) -> tuple[np.ndarray, bool] | None:
        """Return an operator's weights as real numbers, and True if they are quantized per channel."""
        if op.kind not in WEIGHTED or len(op.inputs) < 2:
            return None
        tensor = self.graph.tensors[op.inputs[1]]
        values = constant(tensor, self.tree)
        if values is None:
            return None
        quantization = tensor.quantization
        scales = None if quantization is None else quantization.scale
        if quantization is None or values.dtype.kind == "f" or scales is None or not len(scales):
            return values.astype(np.float64), False
        shape = [1] * values.ndim
        if len(scales) > 1:
            shape[quantization.quantizedDimension] = len(scales)
        points = np.asarray(quantization.zeroPoint, np.float64)
        points = points.reshape(shape) if len(points) > 1 else points
        return (values.astype(np.float64) - points) * np.asarray(scales).reshape(shape), len(scales) > 1
