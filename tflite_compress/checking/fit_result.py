"""Verdict, limits and bundle of a file that was just made, with the samples it was evaluated on."""

from __future__ import annotations

import numpy as np

from tflite_compress.bundling import find_preprocessing, make_bundle
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.judge import check
from tflite_compress.checking.verdict import NO_LIMITS, Finding, Limits, Verdict
from tflite_compress.data.raw import FileData, from_samples, random_data
from tflite_compress.data.samples import Samples
from tflite_compress.profiles.devices import Device
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.support.errors import CompressError
from tflite_compress.tflite.tensor_specs import Signature, read_signature

VECTORS = 8


def fit_and_bundle(
    content: bytes,
    device: Device,
    samples: Samples,
    input_names: tuple[str, ...],
    name: str,
    preprocess: object,
    bundle: bool,
    limits: Limits = NO_LIMITS,
) -> tuple[Verdict, dict[str, bytes], str | None]:
    """Check a file against its device, and make its bundle.

    Args:
        content: The ``.tflite``.
        device: The device it was made for.
        samples: The evaluation samples.
        input_names: The network's inputs, in the order of the samples.
        name: Name of the model.
        preprocess: The user's preprocessing, as given to ``compress``.
        bundle: False makes no bundle.
        limits: The user's limits, in addition to the device's own.

    Returns:
        The verdict; the bundle's files by path; why no bundle could be made, or None.
    """
    data = select_vectors(samples, input_names, read_signature(content))
    verdict = check(Evidence(content, data.raw), device, limits)
    if not bundle:
        return verdict, {}, None
    try:
        preprocessing = find_preprocessing(str(preprocess))
        return verdict, make_bundle(content, device, data, name, samples.class_names, preprocessing), None
    except CompressError as error:
        return verdict, {}, error.message


def find_violation(
    content: bytes, device: Device, samples: Samples, input_names: tuple[str, ...], limits: Limits
) -> str | None:
    """Describe which of the user's limits a file exceeds.

    Args:
        content: The ``.tflite``.
        device: The device it was made for.
        samples: The evaluation samples.
        input_names: The network's inputs, in the order of the samples.
        limits: The user's limits.

    Returns:
        The limit violations as text; None if there are none.
    """
    data = select_vectors(samples, input_names, read_signature(content))
    found = check(Evidence(content, data.raw), device, limits).findings
    blocking = [f for f in found if f.is_blocking and f.subject in ("flash", "RAM", "latency")]
    return "; ".join(_describe(f) for f in blocking) or None


def find_ram(
    content: bytes, device: Device, samples: Samples, input_names: tuple[str, ...]
) -> Measurement | None:
    """Return the RAM a file needs on a device, as ``check`` finds it; None if it is unknown.

    Args:
        content: The ``.tflite``.
        device: The device's profile.
        samples: The evaluation samples.
        input_names: The network's inputs, in the order of the samples.
    """
    data = select_vectors(samples, input_names, read_signature(content))
    return check(Evidence(content, data.raw), device, NO_LIMITS).measurement("RAM")


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
    number = f"{finding.limit:,.0f}" if found.unit == "bytes" else f"{finding.limit:g}"
    ending = ", within the range of the estimate" if finding.fits is None else ""
    return f"{text}, limit {number} {found.unit}{ending}"
