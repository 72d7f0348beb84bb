"""What the commands about a finished ``.tflite`` call, one to one."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from tflite_compress.checking.accuracy import measure_accuracy
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.verdict import NO_LIMITS, Finding, Limits, Verdict, check, judge_accuracy
from tflite_compress.data.raw import SAMPLES, FileData, samples_for
from tflite_compress.profiles.devices import all_devices, load_device
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.runtimes.compare import Comparison, compare
from tflite_compress.support.errors import CompressError, UsageError
from tflite_compress.support.progress import Progress, Silent
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.tflite.tensor_specs import Signature, read_signature

DEFAULTS = Remote()


def check_file(
    path: str | os.PathLike[str],
    devices: Sequence[str],
    limits: Limits = NO_LIMITS,
    min_accuracy: float | None = None,
    data: str | None = None,
    preprocess: str = "none",
    metric: str | None = None,
    on_device: str | None = None,
    remote: Remote = DEFAULTS,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Check a file against device profiles.

    Args:
        path: A ``.tflite``.
        devices: Names or paths of profiles; ``["all"]`` for all bundled ones.
        limits: What the user demands.
        min_accuracy: Least accuracy on ``data``.
        data: Labelled data.
        preprocess: See ``compress``.
        metric: See ``compress``.
        on_device: ``ssh:HOST`` or ``adb``, to ask the device itself.
        remote: How to reach it.
        progress: Where to report progress.

    Returns:
        One verdict for each device.

    Raises:
        CompressError: File, data or a profile cannot be used.
    """
    progress = progress or Silent()
    profiles = all_devices() if list(devices) == ["all"] else [load_device(name) for name in devices]
    content = read_validated(Path(path))
    ports = read_signature(content)
    samples, real = samples_for(ports, data, preprocess)
    runtime = None if on_device is None else find_runtime(on_device, remote)
    evidence = Evidence(content, samples.first(SAMPLES).raw, runtime)
    extra: list[Finding] = []
    with progress.step("asking the runtimes"):
        verdicts = [check(evidence, device, limits) for device in profiles]
    if min_accuracy is not None and real:
        with progress.step("measuring accuracy"):
            extra.append(_accuracy(content, samples, ports, metric, min_accuracy))
    return [dataclasses.replace(v, findings=(*v.findings, *extra)) for v in verdicts]


def verify_file(
    path: str | os.PathLike[str],
    runtimes: Sequence[str],
    data: str | None = None,
    preprocess: str = "none",
    samples: int = SAMPLES,
    remote: Remote = DEFAULTS,
    progress: Progress | None = None,
) -> list[Comparison]:
    """Run a file on several runtimes and compare what they compute.

    Args:
        path: A ``.tflite``.
        runtimes: Names, see ``runtimes.named``.
        data: Samples; seeded random ones by default.
        preprocess: See ``compress``.
        samples: How many.
        remote: How to reach devices.
        progress: Where to report progress.

    Raises:
        CompressError: File, data or a runtime's name cannot be used.
    """
    progress = progress or Silent()
    chosen = {name: find_runtime(name, remote) for name in dict.fromkeys(runtimes)}
    if not chosen:
        raise UsageError("no runtime named", "For example --runtime=litert,tflm.")
    content = read_validated(Path(path))
    ports = read_signature(content)
    found, _ = samples_for(ports, data, preprocess, samples)
    with progress.step("running"):
        return compare(content, found.first(samples).raw, ports, chosen)


def bundle_file(
    path: str | os.PathLike[str],
    device: str,
    data: str | None = None,
    preprocess: str = "none",
    labels: str | None = None,
    out: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the bundle of a file for a device.

    Args:
        path: A ``.tflite``.
        device: Name or path of a profile.
        data: Samples for the test vectors.
        preprocess: See ``compress``.
        labels: Text file with one class name a line.
        out: Folder; ``bundle-DEVICE`` by default.
        progress: Where to report progress.

    Returns:
        The folder.

    Raises:
        CompressError: File, data or profile cannot be used, or the folder is taken.
    """
    from tflite_compress.bundling import find_preprocessing, make_bundle
    from tflite_compress.support.file_manifest import files_manifest
    from tflite_compress.support.staging import MANIFEST, result_folder, write_file

    progress = progress or Silent()
    profile = load_device(device)
    content = read_validated(Path(path))
    ports = read_signature(content)
    samples, _ = samples_for(ports, data, preprocess)
    names = _label_lines(labels) if labels else samples.class_names
    target = Path(out) if out else Path(f"bundle-{profile.name}")
    with result_folder(target) as staging, progress.step("making the bundle"):
        files = make_bundle(
            content, profile, samples.first(SAMPLES), Path(path).stem, names, find_preprocessing(preprocess)
        )
        for name, written in files.items():
            write_file(staging / name, written)
        write_file(staging / MANIFEST, files_manifest(files))
    return target


def _accuracy(content: bytes, data: FileData, ports: Signature, metric: str | None, least: float) -> Finding:
    """Score the file in LiteRT, or in TFLite Micro where LiteRT cannot run it."""
    try:
        answer = find_runtime("litert", DEFAULTS)(content, data.raw)
    except CompressError:
        answer = find_runtime("tflm", DEFAULTS)(content, data.raw)
    return judge_accuracy(measure_accuracy(answer, data, ports, metric), least)


def _label_lines(path: str) -> tuple[str, ...]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--labels={path}: cannot be read", "Give a text file with one name a line."
        ) from error
    return tuple(line.strip() for line in lines if line.strip())
