"""Find how the outputs of a ``.tflite`` become detections, without the original model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tflite_compress.bundling.detections import Detections
from tflite_compress.data.opened_file import OpenedFile
from tflite_compress.data.raw import SAMPLES, FileData
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.scoring.detector import check_head, find_detector
from tflite_compress.scoring.joint_output import HeadOptions, ModelSample
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note
from tflite_compress.tflite.flatbuffer import operator_name, operator_names, read_tree
from tflite_compress.tflite.tensor_specs import FileTensorSpec, Signature

POSTPROCESS = "TFLite_Detection_PostProcess"


def find_file_detector(
    opened: OpenedFile, options: HeadOptions, say: Callable[[Note], None]
) -> Detections | None:
    """Return how the outputs of a file become detections; None for a file that is no detector.

    A file is a detector if a head or anchors are named, if its labels are boxes, or if it has the operator
    ``TFLite_Detection_PostProcess``. The shapes of outputs alone do not tell detectors from other models.

    Args:
        opened: The file with samples.
        options: The head that the user named, and the number of classes.
        say: Called with what the user should know.

    Raises:
        DataError: The file has no outputs of the head that the user named.
        ModelError: LiteRT refuses the file.
        UsageError: There is no such head, or its anchors are missing.
    """
    is_named = options.head is not None or options.anchors is not None
    if is_named:
        check_head(options)
    elif not opened.samples.has_boxes and POSTPROCESS not in operator_names(opened.content):
        _suggest(opened, options, say)
        return None
    options = replace(options, classes=max(options.classes, _stored_classes(opened.content)))
    samples = opened.samples.first(SAMPLES)
    try:
        detector, _ = find_detector(_sample(opened, samples, _outputs(opened, samples), options))
    except DataError as error:
        if is_named:
            raise
        say(Note("no-post-processing", f"the bundle has no post-processing: {error.message}", "warning"))
        return None
    return Detections(detector, tuple(spec.name for spec in opened.signature.outputs))


def _outputs(opened: OpenedFile, samples: FileData) -> tuple[np.ndarray, ...]:
    """Return the outputs on samples as real numbers, shape (samples, ...)."""
    result = host_runtime(seconds=0)(opened.content, samples.raw)
    pairs = zip(opened.signature.outputs, result.outputs or (), strict=True)
    return tuple(_without_batch(spec.to_real(raw), spec) for spec, raw in pairs)


def _without_batch(values: np.ndarray, spec: FileTensorSpec) -> np.ndarray:
    """Return values of shape (samples, ...); those of a runtime also have the batch of 1."""
    return values[:, 0] if values.ndim == len(spec.shape) + 1 else values


def _sample(
    opened: OpenedFile, samples: FileData, outputs: tuple[np.ndarray, ...], options: HeadOptions
) -> ModelSample:
    labels = samples.labels[0] if samples.has_boxes and samples.labels is not None else None
    image = _without_batch(samples.real[0], opened.signature.inputs[0])
    return ModelSample(outputs, labels, image, options)


def _stored_classes(content: bytes) -> int:
    """Return the number of classes that ``TFLite_Detection_PostProcess`` stores; 0 without this operator."""
    from flatbuffers import flexbuffers

    model = read_tree(content)
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            if operator_name(model, operator) == POSTPROCESS and operator.customOptions is not None:
                return int(flexbuffers.Loads(bytes(operator.customOptions))["num_classes"])
    return 0


def _suggest(opened: OpenedFile, options: HeadOptions, say: Callable[[Note], None]) -> None:
    """Name the head whose boxes the outputs may be."""
    samples = opened.samples.first(1)
    try:
        _, head = find_detector(_sample(opened, samples, _zeros(opened.signature), options))
    except DataError:
        return
    if head.metric == "coco_map":  # a grid of classes alone is segmentation as well
        say(Note("may-be-detector", f"if this is a detector, add its post-processing: --head={head.name}"))


def _zeros(signature: Signature) -> tuple[np.ndarray, ...]:
    return tuple(np.zeros((1, *spec.fixed_shape[1:]), np.float32) for spec in signature.outputs)
