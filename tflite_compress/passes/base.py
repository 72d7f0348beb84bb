"""Base classes of passes: settings, and a method that applies the pass to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

import msgspec

from tflite_compress.passes.shared_results import SharedResults
from tflite_compress.passes.values import ConvertedModel, FloatModel, Model
from tflite_compress.support.errors import ConversionError, ModelError
from tflite_compress.support.notes import Note
from tflite_compress.support.progress import Progress
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget

if TYPE_CHECKING:
    from typing import Self

    from tflite_compress.models.network import Network
    from tflite_compress.passes.cost_curve import CostCurve
    from tflite_compress.profiles.devices import Device, Precision
    from tflite_compress.scoring.reference import Reference


class Stage(IntEnum):
    """The position of a pass in a recipe. The passes of a recipe are sorted by stage."""

    TRAIN = 1  # change the network or the trees by training data
    REPAIR = 2  # prepare the network for integers with calibration samples
    QUANTIZE = 3  # choose how numbers are stored
    QAT = 4  # train with the rounding of the conversion
    ADAPT = 5  # change layers that the device's runtime lacks
    CONVERT = 6  # write the .tflite; once in each recipe
    REWRITE = 7  # change the operators of the file
    SLIM = 8  # remove data that no runtime reads from the file
    ENCODE = 9  # encode the file's weights


class Domain(Enum):
    """The kind of model of a pass. A recipe has passes of one domain."""

    NETWORK = "neural networks"
    FOREST = "decision trees"


class PassConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="pass"):
    """Settings of one pass.

    A subclass gives a ``tag``, its name in recipes, and is decorated with :func:`register`.

    Attributes:
        stage: Where it stands in a recipe.
        domain: What it works on.
        changes_size: False for a pass that changes accuracy and leaves the file's size about as it was.
        preserves_outputs: True for a pass on the file that compares all outputs itself and leaves the file
            as it was if one changes. The pipeline does not score the model again after it.
        safer_values: ``min`` or ``max`` for each setting that trades accuracy for size, whichever picks the
            value that loses less accuracy. A fallback never goes the other way.
        excludes: Tags of passes that may not be in the same recipe.
    """

    stage: ClassVar[Stage]
    domain: ClassVar[Domain] = Domain.NETWORK
    changes_size: ClassVar[bool] = True
    preserves_outputs: ClassVar[bool] = False
    safer_values: ClassVar[Mapping[str, Callable[[list[float]], float]]] = {}
    excludes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def tag(cls) -> str:
        """Return the name of the pass in recipes."""
        return str(cls.__struct_config__.tag)

    @property
    def needs_training(self) -> bool:
        """True for a pass that learns from training data."""
        return self.stage in (Stage.TRAIN, Stage.QAT)

    def count_trained(self, samples: int) -> int:
        """Return how many samples a training sees, each as often as it is seen; 0 without a training.

        Args:
            samples: Number of training samples.
        """
        return 0

    @property
    def needs_calibration(self) -> bool:
        """True for a pass that needs calibration samples."""
        return False

    @property
    def allows_repairs(self) -> bool:
        """True if repairs of int8 may be added to a recipe with this pass."""
        return True

    @classmethod
    def adapts(cls, device: Device) -> bool:
        """Return True if every recipe for the device gets the pass by itself."""
        return False

    def unsupported(self, device: Device) -> Note | None:
        """Return why the device cannot run the result of this pass, or None if it can."""
        return None

    def resolve(self, conversion: ConversionPass, device: Device) -> Self | None:
        """Fill in the settings that the device and the conversion decide.

        Args:
            conversion: The recipe's conversion.
            device: The target device.

        Returns:
            The settings, or None if the pass is to be left out for this device.
        """
        return self

    def summary(self) -> str | None:
        """Return what the pass does in a few words, or None if it needs no mention."""
        return None

    def require(self, model: FloatModel) -> None:
        """Check before any pass of a recipe runs what the pass needs of the model's structure.

        Args:
            model: The original model.

        Raises:
            ConversionError: The pass cannot work on a model of this structure.
        """

    def scan_costs(self, model: FloatModel, context: Context) -> CostCurve | None:
        """Estimate in seconds what levels of the pass cost, before minutes of training.

        Args:
            model: The original model; unchanged.
            context: Data, seed and progress.

        Returns:
            The accuracy drop by level, or None if it cannot be estimated.
        """
        return None

    def outcome(self, model: Model) -> str | None:
        """Return what the pass did in a few words: :meth:`summary`, corrected by what the model holds.

        Args:
            model: The model after the pass.
        """
        return self.summary()

    def run(self, model: Model, context: Context) -> Model:
        """Run the pass on a model of either kind.

        Args:
            model: The result of the pass before; unchanged.
            context: Data, teacher, seed and progress.

        Returns:
            The next model.

        Raises:
            ConversionError: The pass does not work on a model of this kind.
        """
        raise NotImplementedError


class FloatPass(PassConfig, frozen=True):
    """A pass that changes a float model."""

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the changed model. ``model`` is not changed."""
        raise NotImplementedError

    def run(self, model: Model, context: Context) -> Model:
        """Run the pass; see :meth:`PassConfig.run`."""
        return self.apply(_require_float(self, model), context)


class ConversionPass(PassConfig, frozen=True):
    """A pass that writes the ``.tflite``."""

    stage: ClassVar[Stage] = Stage.CONVERT

    if TYPE_CHECKING:

        @property
        def precision(self) -> Precision:
            """The precision of the computation."""

        @property
        def per_channel(self) -> bool:
            """True for per-channel scales of weights."""

    def baseline(self) -> ConversionPass:
        """Return the settings that convert the original model to the file that results are compared with."""
        raise NotImplementedError

    def apply(self, model: FloatModel, context: Context) -> ConvertedModel:
        """Return the converted model. ``model`` is not changed."""
        raise NotImplementedError

    def run(self, model: Model, context: Context) -> Model:
        """Run the pass; see :meth:`PassConfig.run`."""
        return self.apply(_require_float(self, model), context)


class FilePass(PassConfig, frozen=True):
    """A pass that rewrites the ``.tflite``."""

    @classmethod
    def repairs(cls, conversion: ConversionPass, device: Device) -> bool:
        """Return True if the pass is tried where a file of this conversion fails on the device."""
        return False

    def apply(self, model: ConvertedModel, context: Context) -> ConvertedModel:
        """Return the rewritten model. ``model`` is not changed."""
        raise NotImplementedError

    def run(self, model: Model, context: Context) -> Model:
        """Run the pass; see :meth:`PassConfig.run`."""
        if isinstance(model, FloatModel):
            raise ConversionError(
                f"pass '{self.tag()}' comes before the conversion", "Put it after 'convert' in the recipe."
            )
        return self.apply(model, context)


def _require_float(config: PassConfig, model: Model) -> FloatModel:
    if isinstance(model, FloatModel):
        return model
    raise ConversionError(
        f"pass '{config.tag()}' comes after the conversion", "Put it before 'convert' in the recipe."
    )


P = TypeVar("P", bound=type[PassConfig])
REGISTERED: dict[str, type[PassConfig]] = {}


def register(cls: P) -> P:
    """Register a pass by its tag. This is a class decorator.

    Raises:
        TypeError: Another class has the tag.
    """
    known = REGISTERED.setdefault(cls.tag(), cls)
    if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise TypeError(f"pass '{cls.tag()}' is defined twice: {known.__module__} and {cls.__module__}")
    return cls


@dataclass(frozen=True, eq=False)
class Context:
    """Data and services for passes. Passes do not change them.

    Attributes:
        reference: The original model on the data, for distillation and scoring.
        seed: Seed of everything random.
        progress: Where to report progress.
        checkpoints: Folder for training checkpoints of interrupted runs with this model, data, seed and
            versions, or None to keep none.
        max_drop: Accuracy drop allowed for the whole recipe, for passes that go as far as it allows.
        budget: Time that is left. Loops of a pass end when it is used, and keep the best so far.
        shared: Results that passes and candidates share.
    """

    reference: Reference
    seed: int
    progress: Progress
    checkpoints: Path | None = None
    max_drop: float = 0.0
    budget: TimeBudget = NO_BUDGET
    shared: SharedResults = field(default_factory=SharedResults)


def editable_network(model: FloatModel, pass_name: str) -> Network:
    """Return the network if a training pass can rebuild it.

    Raises:
        ModelError: It cannot; says why and what to do instead.
    """
    if model.network.editable:
        return model.network
    raise ModelError(
        f"pass '{pass_name}' cannot change model '{model.network.name}': {model.network.why_not_editable}",
        "Give the model as .keras or .h5, or choose a recipe without training passes "
        "(float16, dynamic, int8, int16x8).",
    )


def share_in_words(what: str, share: float) -> str | None:
    """Return ``what`` with the share of the accuracy drop that a pass may use; None if it may use none."""
    if not share:
        return None
    return f"{what} (share {share:g})" if share < 1 else what
