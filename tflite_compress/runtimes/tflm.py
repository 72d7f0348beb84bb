"""TFLite Micro in this process: the interpreter that firmware links, from the ``tflite-micro`` wheel.

It has the portable reference kernels. Boards may use optimized kernels. A 32-bit build needs a slightly
smaller arena than this 64-bit build.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

import numpy as np

from tflite_compress.runtimes.arena import estimate_arena, find_smallest_arena
from tflite_compress.runtimes.litert import TensorDetails, dequantize_array, quantize_array
from tflite_compress.runtimes.refusals import explain_refusal
from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.runtimes.tflm_runtime import run_micro, run_micro_files
from tflite_compress.support.backend import native_noise_captured
from tflite_compress.support.errors import ConversionError, ModelError
from tflite_compress.tflite.flatbuffer import read_tree, tensor_name, text_of
from tflite_compress.tflite.tensor_specs import read_signature

_HINT = "Choose another recipe for this model."
Ports = tuple[tuple[str, ...], tuple[str, ...]]
Rows = list[Arrays]  # the outputs of each sample


class _Parameters(TypedDict):
    scales: np.ndarray
    zero_points: np.ndarray


class _MicroDetails(TypedDict):
    dtype: type
    quantization_parameters: _Parameters


class TFLMModel:
    """A loaded ``.tflite`` with inputs and outputs in the order given.

    Args:
        content: The file's bytes.
        input_names: Names of the inputs, in the order of the arrays.
        output_names: Names of the outputs, in the order of the results.
        arena_bytes: Size of the tensor arena; None for more than a model of this size needs.

    Raises:
        ConversionError: TFLite Micro refuses the file, or the arena is too small.
    """

    def __init__(
        self,
        content: bytes,
        input_names: tuple[str, ...],
        output_names: tuple[str, ...],
        arena_bytes: int | None = None,
    ) -> None:
        from tflite_micro.python.tflite_micro import runtime

        arena = arena_bytes or estimate_arena(content)
        with native_noise_captured() as log:
            try:
                self._interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena)
            except (RuntimeError, ValueError) as error:
                log.seek(0)
                reason = explain_refusal(content, log.read() or str(error), "TFLite Micro")
                raise ConversionError(f"TFLite Micro refuses the file: {reason}", _HINT) from error
        self._inputs = _positions(content, input_names, "inputs")
        self._outputs = _positions(content, output_names, "outputs")

    def run(self, arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Run once from a fresh state.

        Args:
            arrays: Float arrays of shape (1, ...); quantized here where inputs are integers.

        Returns:
            The outputs as the model gives them, not dequantized.
        """
        self.set_inputs(arrays)
        self.invoke()
        return tuple(np.array(self._interpreter.get_output(place)) for place, _ in self._outputs)

    def set_inputs(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Copy float arrays in."""
        with native_noise_captured():
            self._interpreter.reset()
            for (place, _), array in zip(self._inputs, arrays, strict=True):
                detail = _detail(self._interpreter.get_input_details(place))
                self._interpreter.set_input(np.ascontiguousarray(quantize_array(array, detail)), place)

    def invoke(self) -> None:
        """Run once on the inputs set."""
        self._interpreter.invoke()

    def dequantize(self, outputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Convert outputs of :meth:`run` to float32."""
        details = [_detail(self._interpreter.get_output_details(place)) for place, _ in self._outputs]
        return tuple(dequantize_array(y, d) for y, d in zip(outputs, details, strict=True))


def predict_raw(content: bytes, inputs: Arrays, ports: Ports) -> Rows:
    """Run a ``.tflite`` on samples one by one.

    Args:
        content: The file's bytes.
        inputs: One float array for each input, shape (samples, ...).
        ports: Names of the inputs and of the outputs.

    Returns:
        For each sample the outputs as the model gives them.

    Raises:
        ConversionError: TFLite Micro refuses the file.
    """
    (found,) = predict_raw_files((content,), inputs, ports)
    if isinstance(found, ConversionError):
        raise found
    return found


def predict_raw_files(
    contents: Sequence[bytes], inputs: Arrays, ports: Ports
) -> list[Rows | ConversionError]:
    """Run files on the same samples in one child process; see :func:`predict_raw`.

    Returns:
        What was computed for each file, up to the first that TFLite Micro refuses.
    """
    runs = run_micro_files([(content, _raw_inputs(content, inputs, ports[0])) for content in contents])
    found: list[Rows | ConversionError] = []
    for content, run in zip(contents, runs, strict=False):
        if isinstance(run, ModelError):
            found.append(ConversionError(run.message, run.hint))
        else:
            wanted = [place for place, _ in _positions(content, ports[1], "outputs")]
            rows = range(len(inputs[0]))
            found.append([tuple(run.outputs[place][index] for place in wanted) for index in rows])
    return found


def _raw_inputs(content: bytes, inputs: Arrays, names: tuple[str, ...]) -> Arrays:
    """Return the inputs in the file's order and types, each sample as a batch of 1."""
    places = [place for place, _ in _positions(content, names, "inputs")]
    by_place = dict(zip(places, inputs, strict=True))
    specs = read_signature(content).inputs
    return tuple(spec.to_raw(by_place[i])[:, np.newaxis] for i, spec in enumerate(specs))


def has_same_outputs(first: bytes, second: bytes, inputs: Arrays, ports: Ports) -> bool:
    """Return True if two files give bit-identical outputs on every sample.

    Raises:
        ConversionError: TFLite Micro refuses a file.
    """
    rows: list[Rows] = []
    for found in predict_raw_files((first, second), inputs, ports):
        if isinstance(found, ConversionError):
            raise found
        rows.append(found)
    pairs = [(a, b) for x, y in zip(*rows, strict=True) for a, b in zip(x, y, strict=True)]
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)


def find_minimal_arena(content: bytes) -> int:
    """Return the smallest tensor arena in bytes that the model can be allocated in, by bisection.

    Raises:
        ConversionError: TFLite Micro refuses the file with any arena.
    """
    found = find_smallest_arena(content, estimate_arena(content))
    if found is None:
        blank = tuple(np.zeros((1, *port.fixed_shape), port.dtype) for port in read_signature(content).inputs)
        try:
            run_micro(content, blank)  # says why
        except ModelError as error:
            raise ConversionError(error.message, error.hint) from error
        raise ConversionError("TFLite Micro crashes on the file", _HINT)
    return found.bytes


def _positions(
    content: bytes, names: tuple[str, ...], side: Literal["inputs", "outputs"]
) -> list[tuple[int, str]]:
    """Return the position of each input or output: by signature, else by tensor name, else in order."""
    model = read_tree(content)
    graph = model.subgraphs[0]
    tensors = [int(i) for i in (graph.inputs if side == "inputs" else graph.outputs)]
    by_name = {tensor_name(graph.tensors[i]): place for place, i in enumerate(tensors)}
    for signature in model.signatureDefs or []:
        for entry in (signature.inputs if side == "inputs" else signature.outputs) or []:
            by_name[text_of(entry.name)] = tensors.index(entry.tensorIndex)
    if all(name in by_name for name in names):
        return [(by_name[name], name) for name in names]
    return list(enumerate(names))


def _detail(details: _MicroDetails) -> TensorDetails:
    """Convert TFLite Micro's tensor details to LiteRT's format."""
    parameters = details["quantization_parameters"]
    scales, points = np.asarray(parameters["scales"]), np.asarray(parameters["zero_points"])
    pair = (float(scales[0]), int(points[0])) if scales.size else (0.0, 0)
    return {"dtype": np.dtype(details["dtype"]).type, "quantization": pair}
