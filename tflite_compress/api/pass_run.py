"""Load a model and data, and run passes on them, for ``apply`` and ``convert``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tflite_compress.passes import Context, ConversionPass, FloatModel, Model, PassConfig, Stage
from tflite_compress.pipeline.time_share import with_share
from tflite_compress.profiles.devices import Device, load_device
from tflite_compress.support.progress import Progress
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget

if TYPE_CHECKING:
    from tflite_compress.data.gather import DataSpec
    from tflite_compress.data.split import Splits
    from tflite_compress.models.network import Network
    from tflite_compress.models.source import Source
    from tflite_compress.scoring.joint_output import HeadOptions
    from tflite_compress.scoring.metrics import ScoreFunction
    from tflite_compress.scoring.reference import LossFunction
    from tflite_compress.support.input_shape import InputShape

_WITHOUT_DEVICE = "raspberry-pi-4"  # runs every precision and prefers float32 inputs and outputs


@dataclass(frozen=True)
class PassRun:
    """Settings of a call that runs passes."""

    spec: DataSpec
    seed: int
    max_drop: float = 0.01
    loss: str | LossFunction | None = None
    metric: str | ScoreFunction | None = None
    custom_objects: Mapping[str, object] | None = None
    input_shape: InputShape | None = None
    cut: str | None = None
    budget: TimeBudget = NO_BUDGET
    task: str | None = None
    head: HeadOptions | None = None

    def transform(
        self,
        model: object,
        passes: tuple[PassConfig, ...],
        conversion: ConversionPass,
        device: str | None,
        progress: Progress,
    ) -> Model:
        """Load model and data, and run passes in order."""
        from tflite_compress.scoring.joint_output import HeadOptions
        from tflite_compress.scoring.reference import make_reference
        from tflite_compress.support.backend import seed_everything

        with progress.step("loading the model"):
            seed_everything(self.seed)
            source = self._load(model)
        with progress.step("reading the data"):
            network, splits = self._gathered(source.network, passes)
            chosen = self.metric, self.loss, self.task, self.head or HeadOptions()
            reference = make_reference(network, splits, source.loss, *chosen)
        context = Context(reference, self.seed, progress, max_drop=self.max_drop, budget=self.budget)
        made: Model = FloatModel(network, notes=source.notes).noting(*splits.evaluate.notes)
        steps = _resolved(passes, conversion, _device(device))
        for index, step in enumerate(steps):
            made = step.run(made, with_share(context, steps, index))
        return made

    def _gathered(self, network: Network, passes: tuple[PassConfig, ...]) -> tuple[Network, Splits]:
        """Read the data. A conversion fixes the sizes of inputs where they are known; other passes do not."""
        from tflite_compress.data.gather import gather, gather_fixed

        is_converted = any(step.stage is Stage.CONVERT for step in passes)
        if is_converted and (self.spec.given or self.input_shape is not None):
            return gather_fixed(self.spec, network, self.seed, self.input_shape)
        return network, gather(self.spec, network, self.seed)

    def _load(self, model: object) -> Source:
        from tflite_compress.models.cut import split_names
        from tflite_compress.models.load import load_model

        return load_model(model, dict(self.custom_objects or {}), cut=split_names(self.cut))


def _resolved(
    passes: tuple[PassConfig, ...], conversion: ConversionPass, device: Device
) -> tuple[PassConfig, ...]:
    found = (step.resolve(conversion, device) for step in passes)
    return tuple(step for step in found if step is not None)


def _device(name: str | None) -> Device:
    """Return the device, or one that prefers nothing in particular."""
    device = load_device(name or _WITHOUT_DEVICE)
    if name is not None:
        return device
    free = msgspec.structs.replace(device.precisions, io="float32", channel_multiple=1)
    return msgspec.structs.replace(device, precisions=free)
