"""Edit the main graph of a decoded ``.tflite``: add tensors, constants and operators, drop what is unused."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np

from tflite_compress.tflite.flatbuffer import (
    operator_name,
    operator_names,
    pack,
    schema,
    tensor_name,
    type_name,
    unpack,
)
from tflite_compress.tflite.macs import constant, find_stored
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, Tensor, read_scales, set_scales, shape_of

_PLACEHOLDER = 127  # schema.fbs: PLACEHOLDER_FOR_GREATER_OP_CODES


class GraphEditor:
    """The main graph of a tree that the caller owns and changes.

    Args:
        tree: The decoded file; edited in place.
    """

    def __init__(self, tree: ModelTree) -> None:
        self.tree = tree
        self.graph: Graph = tree.subgraphs[0]
        self.stored = find_stored(tree, self.graph)
        self._schema = schema()

    def kind(self, op: Operator) -> str:
        """Return an operator's name in ``schema.fbs``."""
        return operator_name(self.tree, op)

    def tensor(self, index: int) -> Tensor:
        """Return a tensor by its index."""
        return self.graph.tensors[index]

    def is_float(self, index: int) -> bool:
        """Return True for a tensor of type float32."""
        return index >= 0 and type_name(self.tensor(index).type) == "FLOAT32"

    def is_constant(self, index: int) -> bool:
        """Return True for a stored constant, and for one that DEQUANTIZE or DENSIFY unpacks."""
        return index in self.stored or constant(self.tensor(index), self.tree) is not None

    def real_values(self, index: int) -> np.ndarray | None:
        """Return a constant as real numbers, float32 of the tensor's shape; None if it is not one.

        Constants in a sparse format are not read.
        """
        source = self.tensor(self.stored.get(index, index))
        values = None if source.sparsity is not None else constant(source, self.tree)
        if values is None:
            return None
        scales, quantization = read_scales(source), source.quantization
        if values.dtype.kind == "f" or not len(scales) or quantization is None:
            return np.asarray(values, np.float32)
        shape = [1] * values.ndim
        if len(scales) > 1:
            shape[quantization.quantizedDimension] = -1
        points = np.asarray(quantization.zeroPoint, np.float32)
        points = points.reshape(shape) if len(points) > 1 else points
        real: np.ndarray = (values.astype(np.float32) - points) * scales.reshape(shape)
        return real.astype(np.float32)

    def add_tensor(self, name: str, shape: Sequence[int], type_number: int, buffer: int = 0) -> int:
        """Add a tensor and return its index."""
        self.graph.tensors.append(
            self._schema.TensorT(name=name, shape=list(shape), type=type_number, buffer=buffer, hasRank=True)
        )
        return len(self.graph.tensors) - 1

    def add_like(self, index: int, suffix: str) -> int:
        """Add a tensor of the shape and type of another one, named after it, and return its index."""
        model = self.tensor(index)
        return self.add_tensor(f"{tensor_name(model)}/{suffix}", shape_of(model), model.type)

    def quantize(self, index: int, scale: float, zero_point: int) -> None:
        """Give a tensor of integers one scale and zero point."""
        parameters = self._schema.QuantizationParametersT(
            scale=np.array([scale], np.float32), zeroPoint=np.array([zero_point], np.int64)
        )
        self.tensor(index).quantization = parameters

    def add_constant(self, name: str, values: np.ndarray) -> int:
        """Add a constant (float32, float16, int32) and return its index."""
        number = getattr(self._schema.TensorType, values.dtype.name.upper())
        self.tree.buffers.append(self._schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
        return self.add_tensor(name, values.shape, number, len(self.tree.buffers) - 1)

    def operator(
        self,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: object = None,
        version: int = 1,
    ) -> Operator:
        """Return a new operator; the caller places it.

        Args:
            kind: Its name in ``schema.fbs``.
            inputs: Indices of its input tensors.
            outputs: Indices of its output tensors.
            options: Its options, see :meth:`options`; None if it has none.
            version: Version of the operator.
        """
        union = "NONE" if options is None else type(options).__name__.removesuffix("T")
        made: Operator = self._schema.OperatorT(
            opcodeIndex=self._code(kind, version),
            inputs=list(inputs),
            outputs=list(outputs),
            builtinOptionsType=getattr(self._schema.BuiltinOptions, union),
            builtinOptions=options,
        )
        return made

    def options(self, kind: str, **values: object) -> object:
        """Return an operator's options by their name in ``schema.fbs`` (``MulOptions``)."""
        made: object = getattr(self._schema, f"{kind}T")(**values)
        return made

    def scaled_constant(self, index: int, exponent: int) -> tuple[int, list[Operator]]:
        """Add a constant times a power of two.

        Args:
            index: A constant: float32, float16 that DEQUANTIZE unpacks, or integers with scales.
            exponent: The power.

        Returns:
            Index of the tensor to read in its place, and the operators that unpack it.
        """
        source = self.tensor(self.stored.get(index, index))
        if len(read_scales(source)) and type_name(source.type) != "FLOAT32":
            return self._with_scaled_scales(index, exponent)
        values = constant(source, self.tree)
        if values is None:
            raise ValueError(f"tensor {index} is not a constant")
        name = f"{tensor_name(self.tensor(index))}/times_2^{exponent}"
        scaled = np.ldexp(values, exponent)
        if index not in self.stored or not np.array_equal(np.ldexp(scaled, -exponent), values):
            return self.add_constant(name, np.ldexp(values.astype(np.float32), exponent)), []
        narrow = self.add_constant(name, scaled)
        wide = self.add_like(index, f"times_2^{exponent}")
        return wide, [self.operator("DEQUANTIZE", [narrow], [wide], version=3)]

    def _with_scaled_scales(self, index: int, exponent: int) -> tuple[int, list[Operator]]:
        twin = copy.copy(self.tensor(self.stored.get(index, index)))
        twin.quantization = copy.copy(twin.quantization)
        set_scales(twin, np.ldexp(read_scales(twin).astype(np.float32), exponent))
        self.graph.tensors.append(twin)
        narrow = len(self.graph.tensors) - 1
        if index not in self.stored:
            return narrow, []
        wide = self.add_like(index, f"times_2^{exponent}")
        return wide, [self.operator("DEQUANTIZE", [narrow], [wide], version=2)]

    def _code(self, kind: str, version: int) -> int:
        number = getattr(self._schema.BuiltinOperator, kind)
        for place, code in enumerate(self.tree.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == number and code.version == version:
                return place
        self.tree.operatorCodes.append(
            self._schema.OperatorCodeT(
                deprecatedBuiltinCode=min(number, _PLACEHOLDER), builtinCode=number, version=version
            )
        )
        return len(self.tree.operatorCodes) - 1

    def drop_unused(self) -> None:
        """Drop operators that unpack a constant nobody reads, and tensors that no operator uses."""
        graph = self.graph
        read = {int(i) for op in graph.operators for i in op.inputs} | {int(i) for i in graph.outputs}
        unpacked = find_stored(self.tree, graph)
        graph.operators = [
            op
            for op in graph.operators
            if not all(int(i) in unpacked and int(i) not in read for i in op.outputs)
        ]
        used = {int(i) for op in graph.operators for i in _indices(op)} - {-1}
        used |= {int(i) for i in [*graph.inputs, *graph.outputs]}
        self._renumber(sorted(used))

    def _renumber(self, kept: Sequence[int]) -> None:
        graph, numbers = self.graph, {old: new for new, old in enumerate(kept)}
        graph.tensors = [graph.tensors[i] for i in kept]
        for op in graph.operators:
            op.inputs = _renumbered(op.inputs, numbers)
            op.outputs = _renumbered(op.outputs, numbers)
            if op.intermediates is not None and len(op.intermediates):
                op.intermediates = _renumbered(op.intermediates, numbers)
        graph.inputs, graph.outputs = _renumbered(graph.inputs, numbers), _renumbered(graph.outputs, numbers)
        for signature in self.tree.signatureDefs or []:
            if signature.subgraphIndex == 0:
                for entry in [*(signature.inputs or []), *(signature.outputs or [])]:
                    entry.tensorIndex = numbers[int(entry.tensorIndex)]


def replace_operators(
    content: bytes, kinds: Collection[str], replace: Callable[[GraphEditor, Operator], list[Operator]]
) -> bytes:
    """Return a file with other operators in place of some of its main graph; the same file if none changes.

    Args:
        content: A ``.tflite``.
        kinds: Names of the operators that may be replaced.
        replace: Returns the operators in place of one of these kinds: only itself, or more than one.
    """
    if not {*kinds} & {*operator_names(content)}:
        return content
    tree = unpack(content)
    editor = GraphEditor(tree)
    placed: list[Operator] = []
    for op in editor.graph.operators:
        placed += replace(editor, op) if editor.kind(op) in kinds else [op]
    if len(placed) == len(editor.graph.operators):
        return content
    editor.graph.operators = placed
    return pack(tree)


def _indices(op: Operator) -> Iterable[int]:
    inner = [] if op.intermediates is None else op.intermediates
    return [int(i) for i in [*op.inputs, *op.outputs, *inner]]


def _renumbered(indices: Iterable[int], numbers: dict[int, int]) -> np.ndarray:
    return np.array([numbers.get(int(i), -1) for i in indices], np.int32)
