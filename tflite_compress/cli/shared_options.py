"""Options that several commands share. The help text of each stands here, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from tflite_compress.cli.option_types import (
    Bytes,
    Confidence,
    Count,
    DeviceName,
    Drop,
    Duration,
    File,
    Folder,
    InputShape,
    PageFile,
    Seed,
    Source,
    choice_or_function,
    choices_joined,
)
from tflite_compress.scoring.head_registry import head_names
from tflite_compress.scoring.task_registry import task_names

Preprocess = Annotated[str, choice_or_function("none", "unit", "symmetric")]
Metric = str  # of the task, or module:function; checked where the metrics are known
HeadName = Annotated[str, choice_or_function(*head_names())]
TaskNames = Annotated[str, choices_joined(*task_names())]


@dataclass(frozen=True)
class TargetOptions:
    """Target device.

    Attributes:
        device: Device profile: a name, or the path of a TOML file.
    """

    device: DeviceName


@dataclass(frozen=True)
class DataOptions:
    """Data.

    Attributes:
        data: One data source, split into training, calibration and evaluation data: KINDS_OF_DATA, or
            module:function.
        train: Training data from a separate source.
        calibrate: Calibration data (representative dataset) from a separate source.
        eval: Evaluation data from a separate source.
        unlabelled: More training data, such as a folder of images; labels are not read. The model's own
            answers are what is learned there.
        preprocess: Applied to the inputs: none, unit (0 to 1), symmetric (-1 to 1), or module:function.
        resize: Resize images to the input size of the model.
    """

    data: Source | None = None
    train: Source | None = None
    calibrate: Source | None = None
    eval: Source | None = None
    unlabelled: Source | None = None
    preprocess: Preprocess = "none"
    resize: bool = False


@dataclass(frozen=True)
class SampleOptions:
    """Data.

    Attributes:
        data: Input samples: KINDS_OF_DATA, or module:function. Random inputs by default.
        preprocess: Applied to the inputs: none, unit (0 to 1), symmetric (-1 to 1), or module:function.
        resize: Resize images to the input size of the model.
        input_shape: Sizes of the inputs without the batch, for dimensions that the file leaves open, for
            example 224x224x3, or image=224x224x3,text=20. Those of the data by default.
    """

    data: Source | None = None
    preprocess: Preprocess = "none"
    resize: bool = False
    input_shape: InputShape | None = None


@dataclass(frozen=True)
class ModelOptions:  # fields are named as those of compression.options.Options, which take them as they are
    """Model and training.

    Attributes:
        task: What the outputs are; names of several outputs are separated by commas. Inferred by default.
        metric: A metric of the task (docs/tasks.md lists them), or module:function. Inferred by default.
        head: Layout of a detector's outputs (docs/tasks.md), or module:function. Recognized by default.
        anchors: File with the anchors of an SSD, .npy or .csv: y, x, height and width of each.
        custom_objects: module:dict with the custom classes of the model.
        input_shape: Sizes of the inputs without the batch, for dimensions that the model leaves open, for
            example 224x224x3, or image=224x224x3,text=20. Those of the data by default.
        cut: Layers to cut off the start of the model, such as layers that process text, separated by commas.
            The data are then for their outputs.
        trust_model: Run code that the model file contains, such as Lambda layers or a joblib file.
        seed: Seed of the data split and of training.
    """

    task: TaskNames | None = None
    metric: Metric | None = None
    head: HeadName | None = None
    anchors: File | None = None
    custom_objects: str | None = None
    input_shape: InputShape | None = None
    cut: str | None = None
    trust_model: bool = False
    seed: Seed = 0


@dataclass(frozen=True)
class AccuracyOptions:  # fields are named as those of compression.options.Options
    """Accuracy.

    Attributes:
        max_drop: Maximum accuracy drop: 1%, 1pt and 0.01 are one point of top-1 accuracy.
        confidence: Confidence of the intervals of accuracy and of its drop.
        strict: Exit with 1 also if the evaluation samples do not establish that the drop is accepted.
        loss: Loss for fine-tuning: a Keras loss name or module:function. Inferred by default.
    """

    max_drop: Drop = 0.01
    confidence: Confidence = 0.95
    strict: bool = False
    loss: str | None = None


@dataclass(frozen=True)
class TimeOptions:
    """Time.

    Attributes:
        time_budget: Time for the whole run, for example 90s, 5m or 2h. When it is used, training and choosing
            stop, and the best so far is kept. Default: no limit.
    """

    time_budget: Duration | None = None


@dataclass(frozen=True)
class LimitOptions:
    """Limits.

    Attributes:
        max_flash: Maximum flash for model and runtime, for example 256KB.
        max_ram: Maximum RAM, for example 64KB.
    """

    max_flash: Bytes | None = None
    max_ram: Bytes | None = None


@dataclass(frozen=True)
class DeviceOptions:
    """Measuring on a device.

    Attributes:
        port: SSH port.
        remote_python: Python on the device, with numpy and ai-edge-litert.
        remote_folder: Folder for temporary files on the device.
        benchmark_model: TensorFlow's benchmark_model binary for Android, to measure on a phone that adb
            lists.
        delegate: Delegate on the phone.
        serial: Serial number of the phone, as 'adb devices' lists it.
        gpu: Driver of the runtimes litert-gpu and litert-gpu-f32: software computes alike on every machine,
            device is this machine's own GPU.
    """

    port: Count | None = None
    remote_python: str = "python3"
    remote_folder: Folder = "/tmp"
    benchmark_model: File | None = None
    delegate: Literal["cpu", "gpu", "nnapi"] = "cpu"
    serial: str | None = None
    gpu: Literal["software", "device"] = "software"


@dataclass(frozen=True)
class GpuOptions:
    """Scoring in float16.

    Attributes:
        gpu: What computes in float16 for a phone's GPU: software, alike on every machine, or device, this
            machine's own GPU.
    """

    gpu: Literal["software", "device"] = "software"


@dataclass(frozen=True)
class ThreadOptions:
    """Threads.

    Attributes:
        threads: Number of CPU threads.
    """

    threads: Count = 1


@dataclass(frozen=True)
class LedgerOptions:
    """Record of runs.

    Attributes:
        ledger: SQLite file that records runs, or none for no record. 'tflite-compress runs' lists them.
    """

    ledger: File | None = None


@dataclass(frozen=True)
class OutputOptions:
    """Output.

    Attributes:
        json: Print JSON instead of tables.
    """

    json: bool = False


@dataclass(frozen=True)
class PageOptions:
    """Page.

    Attributes:
        html: Also write the result as a self-contained page into this .html file.
    """

    html: PageFile | None = None
