"""Check and bundle files that were just made, with the samples they were evaluated on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tflite_compress.bundling import find_preprocessing, make_bundle
from tflite_compress.bundling.detections import Detections
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.judge import check
from tflite_compress.checking.verdict import NO_LIMITS, Finding, Limits, Verdict
from tflite_compress.data.raw import FileData, from_samples, random_data
from tflite_compress.data.samples import Samples
from tflite_compress.data.sources import Preprocess
from tflite_compress.profiles.devices import Device
from tflite_compress.runtimes.gpu_driver import GpuDriver
from tflite_compress.support.errors import CompressError
from tflite_compress.support.notes import Note
from tflite_compress.support.quantities import format_value
from tflite_compress.tflite.tensor_specs import Signature, read_signature

VECTORS = 8


class FileChecker:
    """Checks files that were just made from one network, and makes their bundles.

    A file runs on the device's runtime once, however often it is checked.
    """

    def __init__(self, samples: Samples, input_names: tuple[str, ...], gpu: GpuDriver = "software") -> None:
        """Create a checker.

        Args:
            samples: The evaluation samples.
            input_names: The network's inputs, in the order of the samples.
            gpu: Driver of the GPU accelerator.
        """
        self._gpu: GpuDriver = gpu
        self._samples = samples
        self._input_names = input_names
        self._files: dict[bytes, tuple[FileData, Evidence]] = {}

    def fresh(self) -> FileChecker:
        """Return a checker for the same samples that has run no file yet."""
        return FileChecker(self._samples, self._input_names, self._gpu)

    def check(self, content: bytes, device: Device, limits: Limits = NO_LIMITS) -> Verdict:
        """Check a file against a device.

        Args:
            content: The ``.tflite``.
            device: The profile.
            limits: The user's limits, in addition to the device's own.
        """
        return check(self._file(content)[1], device, limits)

    def find_violation(self, content: bytes, device: Device, limits: Limits) -> str | None:
        """Describe which of the user's limits a file exceeds; None if it exceeds none.

        Args:
            content: The ``.tflite``.
            device: The profile.
            limits: The user's limits.
        """
        blocking = [f for f in self.check(content, device, limits).findings if f.is_blocking]
        limited = [f for f in blocking if f.subject in ("flash", "RAM", "latency")]
        return "; ".join(_describe(f) for f in limited) or None

    def bundle(
        self,
        content: bytes,
        device: Device,
        name: str,
        preprocess: Preprocess,
        keep_graph: bool = False,
        say: Callable[[Note], None] = lambda note: None,
        detections: Detections | None = None,
    ) -> dict[str, bytes]:
        """Make the bundle of a file.

        Args:
            content: The ``.tflite``.
            device: The profile.
            name: Name of the model.
            preprocess: The user's preprocessing.
            keep_graph: Deploy one file also where a GPU refuses its post-processing.
            say: Called with what the user should know about the bundle.
            detections: How outputs become detections; None for a model that is no detector.

        Returns:
            Contents by path.

        Raises:
            CompressError: There is no bundle for this device or preprocessing.
        """
        data, _ = self._file(content)
        preprocessing = find_preprocessing(preprocess)
        names = self._samples.class_names
        settings = (preprocessing, None, keep_graph, say, detections)
        return make_bundle(content, device, data, name, names, *settings)

    def _file(self, content: bytes) -> tuple[FileData, Evidence]:
        if content not in self._files:
            data = select_vectors(self._samples, self._input_names, read_signature(content))
            self._files[content] = data, Evidence(content, data.raw, gpu_driver=self._gpu)
        return self._files[content]


def select_vectors(samples: Samples, input_names: tuple[str, ...], signature: Signature) -> FileData:
    """Return up to 8 samples in the order of the file's inputs; random ones if they do not fit the file."""
    few = samples.take(np.arange(min(VECTORS, len(samples))))
    by_name = dict(zip(input_names, few.inputs, strict=True))
    if {spec.name for spec in signature.inputs} == set(by_name):
        inputs = tuple(by_name[spec.name] for spec in signature.inputs)
        few = Samples(inputs, None, few.origin, few.class_names)
    try:
        return from_samples(few, signature)
    except CompressError:
        return random_data(signature, VECTORS)


def _describe(finding: Finding) -> str:
    """Return a limit violation as text: the figure, its range, and the limit."""
    found = finding.measurement
    if found is None:
        return f"{finding.subject} {finding.text}"
    text = f"{finding.subject} {found.figure}"
    if finding.limit is None:
        return text
    ending = ", within the range of the estimate" if finding.fits is None else ""
    return f"{text}, limit {format_value(finding.limit, found.unit)}{ending}"
