"""What a pass is: a function from a model value and its configuration to the next model value."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from tflite_compress.support.errors import ConfigError, ModelError
from tflite_compress.support.progress import Progress

if TYPE_CHECKING:
    from tflite_compress.conversion import LayerType, Method
    from tflite_compress.models.network import Network
    from tflite_compress.scoring.reference import Reference

# What settings accept. The bounds are far above anything sensible: past them lies a mistake, not a wish.
Share = Annotated[float, Meta(ge=0, le=1)]
Ratio = Annotated[float, Meta(gt=0, le=1)]
Rate = Annotated[float, Meta(gt=0, le=10)]
Whole = Annotated[int, Meta(ge=0, le=1_000_000)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class PassConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="pass"):
    """Settings of one pass; subclasses give it a tag, which is its name in recipes."""


@dataclass(frozen=True)
class Model:
    """What passes hand on: a network still to be trained or converted, or a finished flatbuffer.

    Attributes:
        network: The float network; stays the last one when a flatbuffer is made from it.
        flatbuffer: The ``.tflite`` bytes, once converted.
        sparsity: Share of zeros in each pruned weight, by layer name.
        channels: Output channels before and after channel pruning, by layer name.
        clusters: Number of shared values, by name of clustered layer.
        types: Numeric type of single layers that differs from the recipe's, by layer name.
        ranges: How activation ranges are chosen; see ``quantization.ranges``.
        plain: The flatbuffer without weight encoding, where the one with it does not run everywhere.
        encoding: What encoding did; see ``passes.encode``.
        notes: What a user should know about how it came to be.
    """

    network: Network
    flatbuffer: bytes | None = None
    sparsity: dict[str, float] = field(default_factory=dict)
    channels: dict[str, tuple[int, int]] = field(default_factory=dict)
    clusters: dict[str, int] = field(default_factory=dict)
    types: dict[str, LayerType] = field(default_factory=dict)
    ranges: Method = "minmax"
    plain: bytes | None = None
    encoding: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def for_litert(self) -> bytes | None:
        """The flatbuffer LiteRT can run: the plain one where weights are encoded for TFLite Micro."""
        return self.plain if self.encoding and self.plain is not None else self.flatbuffer

    def noting(self, *notes: str) -> Model:
        """The same with more notes, each said once."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))))


@dataclass(frozen=True, eq=False)
class Context:
    """What every pass may look at and none may change.

    Attributes:
        reference: The original model on the data, for distillation and scoring.
        seed: Seed of everything random.
        progress: Where to report progress.
        checkpoints: Folder for training checkpoints of interrupted runs with this model, data, seed and
            versions, or None to keep none.
        max_drop: Accuracy that may be lost in all, for passes that go as far as it allows.
        tables: Figures about the original model that several runs of a pass share; see :meth:`once`.
    """

    reference: Reference
    seed: int
    progress: Progress
    checkpoints: Path | None = None
    max_drop: float = 0.0
    tables: dict[str, Any] = field(default_factory=dict)

    def once(self, key: str, compute: Callable[[], Any]) -> Any:
        """What ``compute`` gives, computed the first time only; ``key`` names all it depends on."""
        if key not in self.tables:
            self.tables[key] = compute()
        return self.tables[key]


def layer_patterns(expressions: tuple[str, ...], key: str) -> list[re.Pattern[str]]:
    """Regular expressions over layer names, compiled.

    Args:
        expressions: What the user gave.
        key: The setting they come from.

    Raises:
        ConfigError: One of them is not a regular expression.
    """
    try:
        return [re.compile(text) for text in expressions]
    except re.error as error:
        raise ConfigError(f"{key}: '{error.pattern!s}' is not a regular expression ({error.msg})") from error


def named(layers: Sequence[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(layers) - most} more" if len(layers) > most else ""
    return ", ".join(layers[:most]) + more


def editable_network(model: Model, pass_name: str) -> Network:
    """The network, if a training pass can rebuild it.

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
