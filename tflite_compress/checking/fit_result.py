"""The fit and the bundle of a file that was just made, with the samples it was evaluated on."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite_compress.bundling import find_preprocessing, make_bundle
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.verdict import NO_LIMITS, Finding, Limits, Verdict, check
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
    preprocess: Any,
    bundle: bool,
    limits: Limits = NO_LIMITS,
) -> tuple[Verdict, dict[str, bytes], str]:
    """Ask the device's runtime about a file, and make its bundle.

    Args:
        content: The ``.tflite``.
        device: What it was made for.
        samples: The evaluation samples.
        input_names: The network's inputs, in the order of the samples.
        name: Name of the model.
        preprocess: The user's preprocessing.
        bundle: False leaves the bundle out.
        limits: What the user demands besides the device's own limits.

    Returns:
        The verdict, the bundle's files, and why there are none.
    """
    ports = read_signature(content)
    data = select_vectors(samples, input_names, ports)
    verdict = check(Evidence(content, data.raw), device, limits)
    if not bundle:
        return verdict, {}, ""
    try:
        preprocessing = find_preprocessing(str(preprocess))
        return verdict, make_bundle(content, device, data, name, samples.class_names, preprocessing), ""
    except CompressError as error:
        return verdict, {}, error.message


def find_violation(
    content: bytes, device: Device, samples: Samples, input_names: tuple[str, ...], limits: Limits
) -> str:
    """Which of the user's limits a file breaks, in words; an empty string where it breaks none.

    Args:
        content: The ``.tflite``.
        device: What it was made for.
        samples: The evaluation samples.
        input_names: The network's inputs, in the order of the samples.
        limits: What the user demands.
    """
    data = select_vectors(samples, input_names, read_signature(content))
    found = check(Evidence(content, data.raw), device, limits).findings
    stops = [f for f in found if f.is_blocking and f.subject in ("flash", "RAM", "latency")]
    return "; ".join(
        f"{f.subject} {f.text.split(', ' + _kind(f))[0]}, {f.text.rpartition('; ')[2]}" for f in stops
    )


def find_ram(
    content: bytes, device: Device, samples: Samples, input_names: tuple[str, ...]
) -> Measurement | None:
    """RAM a file takes on a device, as :func:`check` finds it; None where that is not known.

    Args:
        content: The ``.tflite``.
        device: The profile.
        samples: The evaluation samples.
        input_names: The network's inputs, in the order of the samples.
    """
    data = select_vectors(samples, input_names, read_signature(content))
    return check(Evidence(content, data.raw), device, NO_LIMITS).measurement("RAM")


def _kind(finding: Finding) -> str:
    return finding.cost.kind if finding.cost is not None else "unknown"


def select_vectors(samples: Samples, input_names: tuple[str, ...], ports: Signature) -> FileData:
    """A few samples in the order of the file's inputs; random ones where they do not fit the file."""
    few = samples.take(np.arange(min(VECTORS, len(samples))))
    by_name = dict(zip(input_names, few.inputs, strict=True))
    if {p.name for p in ports.inputs} == set(by_name):
        few = Samples(tuple(by_name[p.name] for p in ports.inputs), None, few.origin, few.class_names)
    try:
        return from_samples(few, ports)
    except CompressError:
        return random_data(ports, VECTORS)
