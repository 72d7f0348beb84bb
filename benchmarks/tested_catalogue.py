"""Read tested_models.toml: which models, where they come from, and which commands run on them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

CATALOGUE = Path(__file__).parent / "tested_models.toml"


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where models come from.

    Attributes:
        registry: ``pypi``, ``npm``, or ``built`` for models built here with random weights.
        package: Name and version in the registry; the module that builds.
        license: License of the package.
    """

    registry: str
    package: str
    license: str


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model of the table.

    Attributes:
        name: Name in the table; unique.
        kind: Heading in the table.
        source: A key of the sources.
        path: File in the package, or the function that builds the model.
        options: Of a ``.tflite``, options for all commands but inspect.
        inputs: Of a Keras model, the shape of one sample by input name (``x`` if there is one input).
        samples: Of a Keras model, the number of samples.
        saved: Of a model that is built, the name of its file.
        arguments: Of a model that is built, keyword arguments of the function.
    """

    name: str
    kind: str
    source: str
    path: str
    options: str = ""
    inputs: dict[str, tuple[int, ...]] = {}
    samples: int = 24
    saved: str | None = None
    arguments: dict[str, int | list[int]] = {}

    @property
    def is_keras(self) -> bool:
        """Whether it is a Keras model, not a ``.tflite``."""
        return bool(self.inputs)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seconds: int
    commands: dict[str, dict[str, str]]
    sources: dict[str, Source]
    models: tuple[Model, ...]


@dataclass(frozen=True)
class Catalogue:
    """The whole catalogue.

    Attributes:
        seconds: Time limit of one command.
        tflite: Commands on a ``.tflite`` by column of the table, with ``{model}`` and ``{out}``.
        keras: Commands on a Keras model by column of the table, with ``{data}`` too.
        sources: Sources by name.
        models: Models in the order in which they run.
    """

    seconds: int
    tflite: dict[str, str]
    keras: dict[str, str]
    sources: dict[str, Source]
    models: tuple[Model, ...]

    def columns(self, model: Model) -> dict[str, str]:
        """Return the commands that apply to a model, by column, in the order in which they run."""
        return {**self.keras, **self.tflite} if model.is_keras else self.tflite


def read_catalogue(path: Path = CATALOGUE) -> Catalogue:
    """Read the catalogue.

    Raises:
        msgspec.ValidationError: A key is missing, unknown or of the wrong type.
        ValueError: A name occurs twice, or a model names an unknown source.
    """
    found = msgspec.convert(tomllib.loads(path.read_text()), _File)
    names = [model.name for model in found.models]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{path.name}: {', '.join(sorted(twice))}: occurs twice")
    if unknown := {model.source for model in found.models} - set(found.sources):
        raise ValueError(f"{path.name}: {', '.join(sorted(unknown))}: not a source")
    return Catalogue(
        found.seconds, found.commands["tflite"], found.commands["keras"], found.sources, found.models
    )
