"""Build a ``.tflite`` operator by operator, without a Keras model.

The caller gives the shape and type of every tensor. ``schema.fbs`` lists operators and their options.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite_compress.tflite.flatbuffer import pack, schema

SIGNATURE = "serving_default"
_TYPES = {
    "float32": "FLOAT32",
    "float16": "FLOAT16",
    "int32": "INT32",
    "int16": "INT16",
    "int8": "INT8",
    "bool": "BOOL",
}
_NO_OPTIONS = "NONE"


class Assembly:
    """A graph under construction. Methods that add an operator return the index of its output tensor.

    Args:
        name: Description to store in the file.
    """

    def __init__(self, name: str) -> None:
        self._s = schema()
        self._model = self._s.ModelT(version=3, description=name, operatorCodes=[], signatureDefs=[])
        self._model.buffers = [self._s.BufferT()]
        self._graph = self._s.SubGraphT(name="main", tensors=[], operators=[], inputs=[], outputs=[])
        self._model.subgraphs = [self._graph]
        self._codes: dict[str, int] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def tensor(self, name: str, shape: Sequence[int], dtype: str, buffer: int = 0) -> int:
        """Add a tensor that an operator or the caller fills, and return its index."""
        kind = getattr(self._s.TensorType, _TYPES[dtype])
        self._graph.tensors.append(
            self._s.TensorT(name=name, shape=list(shape), type=kind, buffer=buffer, hasRank=True)
        )
        return len(self._graph.tensors) - 1

    def constant(self, name: str, values: np.ndarray) -> int:
        """Add a constant and return its index; equal constants are stored once."""
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._constants:
            self._model.buffers.append(self._s.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
            number = len(self._model.buffers) - 1
            self._constants[key] = self.tensor(name, values.shape, values.dtype.name, number)
        return self._constants[key]

    def operator(
        self,
        kind: str,
        inputs: Sequence[int],
        name: str,
        shape: Sequence[int],
        dtype: str,
        options: object = None,
        version: int = 1,
    ) -> int:
        """Add an operator with one output.

        Args:
            kind: Its name in ``schema.fbs`` (``FULLY_CONNECTED``).
            inputs: Indices of its input tensors.
            name: Name of its output.
            shape: Shape of its output.
            dtype: NumPy name of its output's type.
            options: Its options, see :meth:`options`; None if it has none.
            version: Version of the operator.

        Returns:
            Index of its output tensor.
        """
        output = self.tensor(name, shape, dtype)
        union = type(options).__name__.removesuffix("T") if options is not None else _NO_OPTIONS
        self._graph.operators.append(
            self._s.OperatorT(
                opcodeIndex=self._code(kind, version),
                inputs=list(inputs),
                outputs=[output],
                builtinOptionsType=getattr(self._s.BuiltinOptions, union),
                builtinOptions=options,
            )
        )
        return output

    def reshaped(self, tensor: int, name: str, shape: tuple[int, ...]) -> int:
        """Add a reshape of a float32 tensor and return its output's index."""
        wanted = self.constant(f"{name}_shape", np.array(shape, np.int32))
        options = self.options("ReshapeOptions", newShape=list(shape))
        return self.operator("RESHAPE", [tensor, wanted], name, shape, "float32", options)

    def options(self, kind: str, **values: object) -> object:
        """Return an operator's options by their name in ``schema.fbs`` (``GatherOptions``)."""
        options: object = getattr(self._s, f"{kind}T")(**values)
        return options

    def finished(self, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
        """Return the ``.tflite`` with one signature.

        Args:
            inputs: Tensor index of each input by its name in the signature.
            outputs: Tensor index of each output by its name in the signature.
        """
        self._graph.inputs, self._graph.outputs = list(inputs.values()), list(outputs.values())
        maps = [
            [self._s.TensorMapT(name=name, tensorIndex=number) for name, number in side.items()]
            for side in (inputs, outputs)
        ]
        signature = self._s.SignatureDefT(inputs=maps[0], outputs=maps[1], signatureKey=SIGNATURE)
        self._model.signatureDefs = [signature]
        return pack(self._model)

    def _code(self, kind: str, version: int) -> int:
        if kind not in self._codes:
            number = getattr(self._s.BuiltinOperator, kind)
            old = min(number, 127)  # schema.fbs: PLACEHOLDER_FOR_GREATER_OP_CODES
            self._model.operatorCodes.append(
                self._s.OperatorCodeT(deprecatedBuiltinCode=old, builtinCode=number, version=version)
            )
            self._codes[kind] = len(self._codes)
        return self._codes[kind]
