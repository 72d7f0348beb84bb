"""The report: everything a run found out about one device's file, as immutable typed values.

``report.json`` is a :class:`Report` in JSON, described by ``report.schema.json``. A report is built once, at
the end of a run, and never changed.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta

from tflite_compress.checking.device_verdict import DeviceVerdict
from tflite_compress.models.output_parts import JoinedOutput
from tflite_compress.reporting.accuracy_figures import Accuracy
from tflite_compress.reporting.candidate_facts import CandidateFacts, PassStep
from tflite_compress.reporting.detail_figures import Details
from tflite_compress.reporting.figures import (
    DeviceFacts,
    Distance,
    Encoding,
    EncodingChoice,
    Fit,
    Forecast,
    HostLatency,
    Macs,
    Memory,
    ModelFacts,
    Parameters,
    RecipeFacts,
    Size,
)
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.scoring.gpu_score import GpuCheck
from tflite_compress.support.notes import Note
from tflite_compress.tflite.macs import LayerWeights
from tflite_compress.trees.forest_report import ForestFacts

SCHEMA_VERSION = 3
SCHEMA_FILE = "report.schema.json"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run found out about one device's file.

    Attributes:
        schema_version: Version of this structure.
        verdict: Whether the file can be deployed to the device, why, and what to do next.
        model: The model.
        device: The device.
        recipe: The recipe that made the file.
        command: The command line of the run; None from Python.
        file: Name of the ``.tflite``.
        plain_file: Name of the ``.tflite`` without encoded weights, if they are encoded.
        accuracy: Accuracy before and after.
        gpu: Accuracy in float16 on the GPU accelerator; None for a device without a GPU.
        gpu_accuracy: The accuracy there, with its intervals and the paired comparison with the original; None
            where it was not measured, and where an output is NaN or infinite.
        distance: Distance of outputs from the original's.
        size: Bytes before and after.
        parameters: Counts of parameters.
        macs: Multiply-accumulates before and after.
        operators: Number of operators of each kind in the file.
        sparsity_by_layer: Share of zeros in pruned layers.
        channels_by_layer: Output channels before and after channel pruning.
        clusters_by_layer: Number of shared values in clustered layers.
        encoding: Encoding of weights, or None.
        weights: Weight tensors of the file that runs on the host.
        latency: Latency on the host.
        device_latency: Latency on the device; None where it is unknown.
        memory: RAM on the device.
        fit: Whether the file fits the device.
        forecast: What pruning was estimated to cost before training; None where nothing was estimated.
        candidates: Recipes that were tried, in order.
        passes: Passes that made the file.
        forest: Facts about decision trees, or None for a network.
        details: What the page shows besides figures; None where it was left out.
        notes: Facts a user should know.
        seconds: Time of each part of the run in seconds.
        steps: Time of each step as the progress of the run named it, without the steps inside it, in seconds;
            empty in reports of earlier versions.
        peak_memory_bytes: Largest memory of the run's process; None where the system does not tell.
        created: When the report was built (UTC, ISO 8601).
        joined_outputs: The outputs of the original model, where the file has parts of them; else empty.
        encoding_choice: What encoding would change, whether it was done or not; None where it was not tried.
    """

    schema_version: Annotated[int, Meta(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)] = SCHEMA_VERSION
    verdict: DeviceVerdict
    model: ModelFacts
    device: DeviceFacts
    recipe: RecipeFacts
    command: str | None
    file: str
    plain_file: str | None
    accuracy: Accuracy
    gpu: GpuCheck | None = None
    gpu_accuracy: Accuracy | None = None
    distance: Distance
    size: Size
    parameters: Parameters
    macs: Macs
    operators: dict[str, int]
    sparsity_by_layer: dict[str, float]
    channels_by_layer: dict[str, tuple[int, int]]
    clusters_by_layer: dict[str, int]
    encoding: Encoding | None
    weights: tuple[LayerWeights, ...]
    latency: HostLatency
    device_latency: Measurement | None
    memory: Memory
    fit: Fit
    candidates: tuple[CandidateFacts, ...]
    passes: tuple[PassStep, ...]
    forest: ForestFacts | None
    details: Details | None
    notes: tuple[Note, ...]
    seconds: dict[str, float]
    peak_memory_bytes: int | None
    created: str
    joined_outputs: tuple[JoinedOutput, ...] = ()
    forecast: Forecast | None = None
    encoding_choice: EncodingChoice | None = None
    steps: dict[str, float] = {}

    @property
    def judged_drop(self) -> float:
        """Accuracy drop that decides: on the GPU if it is larger there; infinite for NaN on the GPU."""
        return max(self.accuracy.drop, float("-inf") if self.gpu is None else self.gpu.judged_drop)


def encode_report(report: Report) -> bytes:
    """Encode a report as the indented JSON of ``report.json``."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def decode_report(content: bytes | str) -> Report:
    """Decode ``report.json``.

    Raises:
        msgspec.MsgspecError: It is not JSON, or not a report of this version; the message names the field.
    """
    return msgspec.json.decode(content, type=Report)


def report_schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of ``report.json``."""
    schema = msgspec.json.schema(Report)
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "title": "tflite-compress report", **schema}


def shipped_schema() -> bytes:
    """Return the JSON Schema that is shipped with the package."""
    return files("tflite_compress.reporting").joinpath(SCHEMA_FILE).read_bytes()
