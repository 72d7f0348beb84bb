"""LiteRT on this machine: what comes out of a ``.tflite``, on all cores."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tflite_compress.support.errors import ConversionError

SIGNATURE = "serving_default"
WORTH_A_THREAD_S = 30e-6  # measured: two threads are 0.5x as fast at 8 us a run, 1.6x at 60 us


class LiteRTModel:
    """A loaded ``.tflite`` with its inputs and outputs in the order of the signature given.

    Args:
        content: The file's bytes, or its path.
        input_names: Ports names of the inputs, in the order arrays will come.
        output_names: Likewise for the outputs.
        threads: Threads of one interpreter.

    Raises:
        ConversionError: The runtime refuses the file.
    """

    def __init__(
        self,
        content: bytes | Path,
        input_names: tuple[str, ...],
        output_names: tuple[str, ...],
        threads: int = 1,
    ) -> None:
        from ai_edge_litert.interpreter import Interpreter

        source: dict[str, Any] = (
            {"model_path": str(content)} if isinstance(content, Path) else {"model_content": content}
        )
        try:
            self._interpreter = Interpreter(num_threads=threads, **source)
            self._interpreter.allocate_tensors()
            signature = self._signature()
            self._inputs = [self._input_details()[signature["inputs"][name]] for name in input_names]
            self._outputs = [self._output_details()[signature["outputs"][name]] for name in output_names]
        except (RuntimeError, ValueError, KeyError) as error:
            raise ConversionError(
                f"LiteRT refuses the file: {' '.join(str(error).split())[:300]}",
                "Choose another recipe for this model.",
            ) from error
        self.batch = int(self._inputs[0]["shape"][0]) if self._inputs[0]["shape"].size else 1

    def _signature(self) -> dict[str, dict[str, int]]:
        """Tensor index of each named port: by signature, or by tensor name in a file without one."""
        signatures = self._interpreter._get_full_signature_list()
        if signatures:
            found: dict[str, dict[str, int]] = signatures[SIGNATURE]
            return found
        ports = {"inputs": self._input_details(), "outputs": self._output_details()}
        return {which: {d["name"]: i for i, d in details.items()} for which, details in ports.items()}

    def _input_details(self) -> dict[int, dict[str, Any]]:
        return {d["index"]: d for d in self._interpreter.get_input_details()}

    def _output_details(self) -> dict[int, dict[str, Any]]:
        return {d["index"]: d for d in self._interpreter.get_output_details()}

    def set_inputs(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Copy float arrays, shape (1, ...), in; integer inputs are quantized first.

        Recurrent operators keep their state from run to run unless it is reset, and Keras models
        expect a fresh state for each sample.
        """
        self._interpreter.reset_all_variables()
        for detail, array in zip(self._inputs, arrays, strict=True):
            self._interpreter.set_tensor(detail["index"], quantize_array(array, detail))

    def invoke(self) -> None:
        """Run once on the inputs set."""
        self._interpreter.invoke()

    def outputs(self) -> tuple[np.ndarray, ...]:
        """The outputs of the last run, dequantized to float."""
        return tuple(dequantize_array(self._interpreter.get_tensor(d["index"]), d) for d in self._outputs)

    def resize_batch(self, batch: int) -> None:
        """Set the batch of a file converted with a free batch dimension."""
        for detail in self._inputs:
            self._interpreter.resize_tensor_input(detail["index"], [batch, *detail["shape"][1:]])
        self._interpreter.allocate_tensors()
        self.batch = batch

    @property
    def has_free_batch(self) -> bool:
        """True where the file was converted with a free batch dimension."""
        return all(d["shape_signature"].size > 0 and d["shape_signature"][0] == -1 for d in self._inputs)


def quantize_array(array: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """Bring an array to a tensor's dtype; integer tensors with a scale are quantized (round to nearest)."""
    dtype = detail["dtype"]
    scale, zero_point = detail["quantization"]
    if scale and np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        array = np.clip(np.rint(array / scale) + zero_point, info.min, info.max)
    return np.asarray(array, dtype)


def dequantize_array(array: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
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

    Each worker thread has an interpreter of its own (the interpreter releases Python's lock while
    it runs) and takes a block of the samples, so the result does not depend on their number.
    Models so fast that threads would only fight for that lock run on one.

    Args:
        content: The file's bytes.
        inputs: One array for each input, shape (samples, ...).
        input_names: Ports names of the inputs in that order.
        output_names: Ports names of the outputs wanted.
        workers: Threads; by default all cores where that helps.

    Returns:
        One float array for each output, shape (samples, ...).

    Raises:
        ConversionError: The runtime refuses the file or fails to run it.
    """
    count = len(inputs[0])
    if workers is None:
        workers = _useful_workers(LiteRTModel(content, input_names, output_names), inputs)
    workers = max(1, min(workers, count))
    bounds = np.linspace(0, count, workers + 1).astype(int)

    def run(worker: int) -> list[tuple[np.ndarray, ...]]:
        model = LiteRTModel(content, input_names, output_names)
        if model.has_free_batch:
            model.resize_batch(32)
        return _run_range(model, inputs, bounds[worker], bounds[worker + 1])

    with ThreadPoolExecutor(workers) as pool:
        rows = [row for part in pool.map(run, range(workers)) for row in part]
    return tuple(np.concatenate(column) for column in zip(*rows, strict=True))


def _useful_workers(model: LiteRTModel, inputs: tuple[np.ndarray, ...]) -> int:
    """All cores, or one for a model whose single run is shorter than handing over Python's lock."""
    if not model.has_free_batch and len(inputs[0]) >= model.batch:
        model.set_inputs(tuple(x[: model.batch] for x in inputs))
        quickest = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            try:
                model.invoke()
            except RuntimeError:
                break  # reported where it is run in earnest
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
            raise ConversionError(
                f"LiteRT fails to run the file: {' '.join(str(error).split())[:300]}",
                "Choose another recipe for this model.",
            ) from error
        rows.append(tuple(y[:valid].copy() for y in model.outputs()))
    return rows
