"""LiteRT in this process: run a ``.tflite`` on all cores."""

from __future__ import annotations

import functools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict

import numpy as np

from tflite_compress.runtimes.refusals import explain_refusal, explain_scales
from tflite_compress.support.errors import ConversionError
from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.state import find_state

SIGNATURE = "serving_default"
_HINT = "Choose another recipe for this model."
WORTH_A_THREAD_S = 30e-6  # measured: two threads are 0.5x as fast at 8 us a run, 1.6x at 60 us


class TensorDetails(TypedDict):
    """The part of the interpreter's tensor details that quantizing needs.

    Attributes:
        dtype: NumPy type of the tensor.
        quantization: Scale and zero point; the scale is 0 if it is not quantized.
    """

    dtype: type
    quantization: tuple[float, int]


class IndexedDetails(TensorDetails):
    """The interpreter's details of an input or output.

    Attributes:
        index: Index of the tensor.
        name: Its name.
        shape: Its shape, int32, shape (rank,).
        shape_signature: Its shape with open dimensions as -1.
    """

    index: int
    name: str
    shape: np.ndarray
    shape_signature: np.ndarray


@functools.lru_cache(maxsize=4)  # each worker of a prediction loads the same file
def _facts(content: bytes) -> tuple[ConversionError | None, bool]:
    """Return why LiteRT would abort on a file, or None; and True if it has resource variables."""
    tree = read_tree(content)
    return explain_scales(tree, "XNNPACK"), find_state(tree).has_resources


class LiteRTModel:
    """A loaded ``.tflite`` with its inputs and outputs in the given order.

    Args:
        content: The file's bytes, or its path.
        input_names: Names of the inputs, in the order of the arrays.
        output_names: Names of the outputs, in the order they are returned.
        threads: Threads of one interpreter.
        shapes: Shape of each input without the batch, for open dimensions; these become 1 by default.

    Raises:
        ConversionError: The runtime refuses the file.
    """

    def __init__(
        self,
        content: bytes | Path,
        input_names: tuple[str, ...],
        output_names: tuple[str, ...],
        threads: int = 1,
        shapes: tuple[tuple[int, ...], ...] | None = None,
    ) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._shapes = shapes
        is_path = isinstance(content, Path)
        self._content = content
        self._make = functools.partial(
            Interpreter,
            model_path=str(content) if is_path else None,
            model_content=None if is_path else content,
            num_threads=threads,
        )
        try:
            self._interpreter = self._make()
            aborts, self._has_resources = _facts(self.content)
            if aborts:
                raise ConversionError(f"LiteRT refuses the file: {aborts.message}", aborts.hint)
            self._is_fresh = True
            signature = self._signature()
            self._inputs = [self._input_details()[signature["inputs"][name]] for name in input_names]
            if shapes is not None:
                self._resize_open(shapes)
            self._interpreter.allocate_tensors()
            self._inputs = [self._input_details()[signature["inputs"][name]] for name in input_names]
            self._outputs = [self._output_details()[signature["outputs"][name]] for name in output_names]
        except (RuntimeError, ValueError, KeyError) as error:
            reason = explain_refusal(self.content, str(error), "LiteRT")
            raise ConversionError(f"LiteRT refuses the file: {reason}", _HINT) from error
        self.batch = int(self._inputs[0]["shape"][0]) if self._inputs[0]["shape"].size else 1

    def _signature(self) -> dict[str, dict[str, int]]:
        """Return the tensor index of each input and output: by signature, else by tensor name."""
        signatures = self._interpreter._get_full_signature_list()
        if signatures:
            found: dict[str, dict[str, int]] = signatures[SIGNATURE]
            return found
        ports = {"inputs": self._input_details(), "outputs": self._output_details()}
        return {which: {d["name"]: i for i, d in details.items()} for which, details in ports.items()}

    def _input_details(self) -> dict[int, IndexedDetails]:
        return {d["index"]: d for d in self._interpreter.get_input_details()}

    def _output_details(self) -> dict[int, IndexedDetails]:
        return {d["index"]: d for d in self._interpreter.get_output_details()}

    def set_inputs(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Copy float arrays of shape (1, ...) in; integer inputs are quantized first.

        The state that operators keep between runs is reset, because Keras models start each sample from a
        fresh state.
        """
        self._reset()
        for detail, array in zip(self._inputs, arrays, strict=True):
            self._interpreter.set_tensor(detail["index"], quantize_array(array, detail))

    def _reset(self) -> None:
        """Go back to a fresh state. Only a new interpreter resets resource variables."""
        if self._has_resources and not self._is_fresh:
            self._interpreter = self._make()
            if self._shapes is not None:
                self._resize_open(self._shapes)
            self._interpreter.allocate_tensors()
        self._interpreter.reset_all_variables()
        self._is_fresh = True

    def invoke(self) -> None:
        """Run once on the inputs that are set."""
        self._is_fresh = False
        self._interpreter.invoke()

    def outputs(self) -> tuple[np.ndarray, ...]:
        """Return the outputs of the last run, dequantized to float32."""
        return tuple(dequantize_array(self._interpreter.get_tensor(d["index"]), d) for d in self._outputs)

    def _resize_open(self, shapes: tuple[tuple[int, ...], ...]) -> None:
        """Give inputs with open dimensions besides the batch their shape."""
        for detail, shape in zip(self._inputs, shapes, strict=True):
            if -1 in detail["shape_signature"][1:]:
                self._interpreter.resize_tensor_input(detail["index"], [*detail["shape"][:1], *shape])

    def resize_batch(self, batch: int) -> None:
        """Set the batch size of a file with an open batch dimension."""
        for detail in self._inputs:
            self._interpreter.resize_tensor_input(detail["index"], [batch, *detail["shape"][1:]])
        self._interpreter.allocate_tensors()
        self.batch = batch

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return self._content.read_bytes() if isinstance(self._content, Path) else self._content

    @property
    def has_free_batch(self) -> bool:
        """True if the batch dimension of all inputs is open, and no resource variable has a fixed shape."""
        return not self._has_resources and all(
            d["shape_signature"].size > 0 and d["shape_signature"][0] == -1 for d in self._inputs
        )


def quantize_array(array: np.ndarray, detail: TensorDetails) -> np.ndarray:
    """Convert an array to a tensor's dtype; quantize it (round to nearest) if the tensor has a scale."""
    dtype = detail["dtype"]
    scale, zero_point = detail["quantization"]
    if scale and np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        array = np.clip(np.rint(array / scale) + zero_point, info.min, info.max)
    return np.asarray(array, dtype)


def dequantize_array(array: np.ndarray, detail: TensorDetails) -> np.ndarray:
    """Undo :func:`quantized`; float32."""
    scale, zero_point = detail["quantization"]
    if scale and np.issubdtype(array.dtype, np.integer):
        return np.asarray((array.astype(np.float32) - zero_point) * np.float32(scale), np.float32)
    return array


def predict(
    content: bytes,
    inputs: tuple[np.ndarray, ...],
    input_names: tuple[str, ...],
    output_names: tuple[str, ...],
    workers: int | None = None,
) -> tuple[np.ndarray, ...]:
    """Run a ``.tflite`` over many samples on all cores.

    Each worker thread has its own interpreter, which releases Python's lock while it runs, and a block of
    the samples. The result does not depend on the number of threads. Very fast models run on one thread,
    because threads would wait for the lock.

    Args:
        content: The file's bytes.
        inputs: One array for each input, shape (samples, ...).
        input_names: Ports names of the inputs in that order.
        output_names: Ports names of the outputs wanted.
        workers: Number of threads; by default all cores, or 1 for very fast models.

    Returns:
        One float array per output, shape (samples, ...).

    Raises:
        ConversionError: The runtime refuses the file or fails to run it.
    """
    count = len(inputs[0])
    shapes = tuple(x.shape[1:] for x in inputs)
    if workers is None:
        workers = _useful_workers(LiteRTModel(content, input_names, output_names, shapes=shapes), inputs)
    workers = max(1, min(workers, count))
    bounds = np.linspace(0, count, workers + 1).astype(int)

    def run(worker: int) -> list[tuple[np.ndarray, ...]]:
        model = LiteRTModel(content, input_names, output_names, shapes=shapes)
        if model.has_free_batch:
            model.resize_batch(32)
        return _run_range(model, inputs, bounds[worker], bounds[worker + 1])

    with ThreadPoolExecutor(workers) as pool:
        rows = [row for part in pool.map(run, range(workers)) for row in part]
    return tuple(np.concatenate(column) for column in zip(*rows, strict=True))


def _useful_workers(model: LiteRTModel, inputs: tuple[np.ndarray, ...]) -> int:
    """Return the number of cores, or 1 if a run is shorter than a switch of Python's lock."""
    if not model.has_free_batch and len(inputs[0]) >= model.batch:
        model.set_inputs(tuple(x[: model.batch] for x in inputs))
        quickest = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            try:
                model.invoke()
            except RuntimeError:
                break  # the real run reports it
            quickest = min(quickest, time.perf_counter() - start)
        if quickest < WORTH_A_THREAD_S:
            return 1
    return len(os.sched_getaffinity(0))


def _run_range(
    model: LiteRTModel, inputs: tuple[np.ndarray, ...], start: int, stop: int
) -> list[tuple[np.ndarray, ...]]:
    """Run samples ``start`` to ``stop`` in the model's batches, padding the last one."""
    rows = []
    for begin in range(start, stop, model.batch):
        chunk = tuple(x[begin : min(begin + model.batch, stop)] for x in inputs)
        valid = len(chunk[0])
        if valid < model.batch:
            chunk = tuple(np.concatenate([x, np.repeat(x[-1:], model.batch - valid, axis=0)]) for x in chunk)
        model.set_inputs(chunk)
        try:
            model.invoke()
        except RuntimeError as error:
            reason = explain_refusal(model.content, str(error), "LiteRT")
            raise ConversionError(f"LiteRT fails to run the file: {reason}", _HINT) from error
        rows.append(tuple(y[:valid].copy() for y in model.outputs()))
    return rows
