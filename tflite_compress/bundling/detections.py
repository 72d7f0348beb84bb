"""The post-processing of a detector as a file of the bundle: decoding and non-maximum suppression.

The file contains the source of the functions that the evaluation calls.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, is_dataclass

from tflite_compress.bundling.text import render
from tflite_compress.models.output_parts import JoinedOutput, OutputParts
from tflite_compress.scoring import box_functions
from tflite_compress.scoring.detector import Detector
from tflite_compress.scoring.reference import Reference
from tflite_compress.tflite.tensor_specs import read_signature

SHOWN_MIN = 0.25  # score of detections that an application shows
FILE = "postprocess.py"


@dataclass(frozen=True)
class Detections:
    """How the outputs of a file become detections.

    Attributes:
        detector: Decodes the outputs of the original model, and selects detections.
        outputs: Names of the original model's outputs in the order that the detector takes.
        joined: The same outputs, where the file has parts of them; else empty.
    """

    detector: Detector
    outputs: tuple[str, ...]
    joined: tuple[JoinedOutput, ...] = ()

    @property
    def is_known(self) -> bool:
        """False for a user's function, which only the user can port to the device."""
        return is_dataclass(self.detector.decoder)


def find_detections(reference: Reference, joined: tuple[JoinedOutput, ...]) -> Detections | None:
    """Return how the outputs of a file become detections; None for a model that is no detector.

    Args:
        reference: The original model on the data.
        joined: The outputs of the original model, where the file has parts of them; else empty.
    """
    joint = reference.joint
    if joint is None or not isinstance(joint.combine, Detector):
        return None
    return Detections(joint.combine, reference.network.tensor_names[1], joined)


def detection_files(found: Detections, content: bytes) -> dict[str, bytes]:
    """Return the post-processing by file name; nothing for a user's function.

    Args:
        found: The detector.
        content: The ``.tflite``.
    """
    if not found.is_known:
        return {}
    detector, names = found.detector, [spec.name for spec in read_signature(content).outputs]
    sources = [one.source for one in found.joined] or list(found.outputs)
    return {
        FILE: render(
            "detections.py.txt",
            head=detector.head,
            functions=_body(inspect.getsource(box_functions)),
            decoder_class=inspect.getsource(type(detector.decoder)).rstrip(),
            decoder=repr(detector.decoder),
            outputs="".join(f"        {_expression(source, names)},\n" for source in sources).rstrip(),
            min_score=SHOWN_MIN,
            max_iou=detector.max_iou,
            max_detections=detector.max_detections,
        )
    }


def _body(source: str) -> str:
    """Return a module's source without its docstring and imports."""
    return source.partition("import numpy as np\n")[2].strip()


def _expression(source: str | OutputParts, names: list[str]) -> str:
    """Return the Python expression that makes an output of the original model."""
    if isinstance(source, str):
        return f"outputs[{names.index(source)}]"
    parts = ", ".join(_expression(part, names) for part in source.parts)
    return f"np.concatenate([{parts}], axis={source.axis})"
