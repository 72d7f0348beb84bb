"""The models that passes receive and return: a float model, and a converted model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

from tflite_compress.support.notes import Note, unique_notes

if TYPE_CHECKING:
    from typing import Self

    import numpy as np

    from tflite_compress.conversion import LayerType, Method, WeightRounding
    from tflite_compress.models.network import Network


@dataclass(frozen=True)
class Fact:
    """A fact that a pass recorded about a model, for later passes and for the report.

    Attributes:
        is_change: False for a fact about what a pass did not do.
    """

    is_change: ClassVar[bool] = True


F = TypeVar("F", bound=Fact)


@dataclass(frozen=True)
class Sparsity(Fact):
    """Share of zeros in each pruned layer's weights, from 0 to 1, by layer name."""

    by_layer: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ChannelWidths(Fact):
    """Output channels before and after channel pruning, by layer name."""

    by_layer: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Clusters(Fact):
    """Shared values of clustered layers.

    Attributes:
        by_layer: Number of values, by layer name.
        scales: By layer name, what the kernel's weights are integers times of, one for each output channel,
            shape (channels,), or one for all, shape (). Layers without one share float values.
    """

    by_layer: Mapping[str, int] = field(default_factory=dict)
    scales: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class LayerTypes(Fact):
    """Precision of each layer whose precision differs from that of the recipe, by layer name."""

    by_layer: Mapping[str, LayerType] = field(default_factory=dict)


@dataclass(frozen=True)
class CalibrationMethod(Fact):
    """The calibration method; see ``conversion.activation_ranges``."""

    method: Method = "minmax"


@dataclass(frozen=True)
class FourBitRounding(Fact):
    """How 4-bit weights are rounded; see ``conversion.weight_rounding``."""

    rounding: WeightRounding = "nearest"


@dataclass(frozen=True)
class Quantizer(Fact):
    """What quantizes the model to int8."""

    name: Literal["converter", "litert-quantizer"] = "converter"


@dataclass(frozen=True)
class DenseFile(Fact):
    """The same model with its zeros stored densely, as ``.tflite`` bytes."""

    content: bytes


@dataclass(frozen=True)
class Encoding(Fact):
    """Weights encoded for TFLite Micro's DECODE operator.

    Attributes:
        plain: The file before encoding, which every runtime can run.
        kinds: Number of tensors by encoding.
        tables: Number of decoding tables.
        encoded_bytes: Size of the encoded file.
        plain_arena_bytes: Smallest tensor arena of the plain file in TFLite Micro's 64-bit build.
        encoded_arena_bytes: The same of the encoded file.
        time_ratio: Time of one inference with encoded weights, as a multiple of that with plain ones.
        equal_on_samples: Number of samples on which both files gave the same outputs.
    """

    plain: bytes
    kinds: Mapping[str, int]
    tables: int
    encoded_bytes: int
    plain_arena_bytes: int
    encoded_arena_bytes: int
    time_ratio: float
    equal_on_samples: int


@dataclass(frozen=True)
class EncodingChoice(Fact):
    """The choice between encoded and plain weights.

    Attributes:
        figures: Those of both files.
        is_encoded: True if the encoded one was taken.
    """

    is_change: ClassVar[bool] = False

    figures: Encoding
    is_encoded: bool


@dataclass(frozen=True)
class _Value:
    """Attributes of both kinds of models.

    Attributes:
        network: The float network. A converted model keeps the one it was made from.
        facts: Facts that passes recorded, by type.
        notes: What a user should know about how the model was made.
    """

    network: Network
    facts: Mapping[type[Fact], Fact] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def find(self, kind: type[F]) -> F | None:
        """Return the fact of a type, or None if no pass recorded one."""
        found = self.facts.get(kind)
        return found if isinstance(found, kind) else None

    def fact(self, kind: type[F]) -> F:
        """Return the fact of a type, or an empty one if no pass recorded one."""
        found = self.find(kind)
        return kind() if found is None else found

    def with_fact(self, fact: Fact) -> Self:
        """Return the model with a fact recorded in place of an earlier one of its type."""
        return replace(self, facts={**self.facts, type(fact): fact})

    def noting(self, *notes: Note) -> Self:
        """Return the model with more notes; repeated ones are dropped."""
        return replace(self, notes=unique_notes(self.notes, notes))


@dataclass(frozen=True)
class FloatModel(_Value):
    """A network or forest before conversion."""

    def converted(self, flatbuffer: bytes) -> ConvertedModel:
        """Return the model converted to ``.tflite`` bytes."""
        return ConvertedModel(self.network, self.facts, self.notes, flatbuffer=flatbuffer)


@dataclass(frozen=True)
class ConvertedModel(_Value):
    """A converted model.

    Attributes:
        flatbuffer: The ``.tflite`` file.
    """

    flatbuffer: bytes = field(kw_only=True)

    @property
    def for_litert(self) -> bytes:
        """The file for LiteRT: the plain file if the weights are encoded for TFLite Micro."""
        encoding = self.find(Encoding)
        return self.flatbuffer if encoding is None else encoding.plain


Model = FloatModel | ConvertedModel


def same_model(before: Model, after: Model) -> bool:
    """Return True if a pass left a model as it was, besides its notes."""
    files = [m.flatbuffer if isinstance(m, ConvertedModel) else None for m in (before, after)]
    facts = [{kind: f for kind, f in m.facts.items() if kind.is_change} for m in (before, after)]
    return before.network is after.network and facts[0] == facts[1] and files[0] == files[1]
