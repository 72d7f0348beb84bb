"""Kinds of files and folders with samples: what each says about itself, and which there are.

A kind is one module in ``data/files``. It defines a dataclass of :class:`FileSource` and decorates it with
:func:`register_source`. Its fields are options of every command that takes data. Importing such a module
imports only the standard library, since the command line does so to know its options.
"""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from tflite_compress.support.errors import DataError, UsageError

if TYPE_CHECKING:
    from tflite_compress.data.samples import RawData
    from tflite_compress.data.sources import ReadOptions
    from tflite_compress.models.network import TensorSpec

PACKAGE = "tflite_compress.data.files"


@dataclass(frozen=True)
class FileSource:
    """A file or folder with samples, and how to read it. A subclass is one kind.

    The settings of a kind are fields with defaults. Their types are those of JSON, or tuples of text; numbers
    are greater than 0.

    Attributes:
        tag: Names the kind in manifests.
        described: The kind in a few words with its article, for messages: ``a CSV file``.
        heading: The kind in a few words, over its options in the help: ``CSV files``.
        is_general: True for a kind that is asked only after all others whether a path is one of it.
        path: The file or folder.
    """

    tag: ClassVar[str]
    described: ClassVar[str]
    heading: ClassVar[str]
    is_general: ClassVar[bool] = False

    path: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Return True if a path is of this kind, by its suffix or, of a folder, by what it contains.

        A path with the right suffix is recognized also if the file is missing: reading it reports that.
        """
        raise NotImplementedError

    def check(self, expected: TensorSpec | None) -> None:
        """Check what is cheap to check before TensorFlow is imported.

        Args:
            expected: The model's input; None if it is not known, or if a function computes other shapes.

        Raises:
            CompressError: Reading would fail.
        """
        raise NotImplementedError

    def read(self, options: ReadOptions) -> dict[str, RawData]:
        """Read the samples, before the user's preprocessing.

        Args:
            options: The model's inputs and outputs, and how to read.

        Returns:
            ``{"all": ...}``, or ``{"train": ..., "eval": ...}`` if the source is already split.

        Raises:
            CompressError: The source is missing, empty or malformed.
        """
        raise NotImplementedError

    def validated(self) -> Self:
        """Return the source if its settings have the right types and ranges.

        Raises:
            UsageError: One has not.
        """
        import msgspec

        hint = "Correct this setting of the data source."
        try:
            found = msgspec.convert(asdict(self), type(self))
        except (msgspec.ValidationError, TypeError) as error:
            reason = str(error).replace("`", "'").replace("'$.", "'")
            raise UsageError(f"{self.path}: {reason}", hint) from error
        for name, value in vars(found).items():
            if isinstance(value, int | float) and not isinstance(value, bool) and not value > 0:
                raise UsageError(f"{self.path}: {name}={value}: expected a number greater than 0", hint)
        return found

    def as_record(self) -> dict[str, object]:
        """Return kind, path and settings for a manifest."""
        return {"kind": self.tag, **asdict(self)}


REGISTERED: dict[str, type[FileSource]] = {}


def register_source(kind: type[FileSource]) -> type[FileSource]:
    """Make a kind known by its tag; a class decorator."""
    REGISTERED[kind.tag] = kind
    return kind


@functools.cache
def all_kinds() -> tuple[type[FileSource], ...]:
    """Return every kind, general ones last."""
    package = importlib.import_module(PACKAGE)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{PACKAGE}.{module.name}")
    return tuple(sorted(REGISTERED.values(), key=lambda kind: (kind.is_general, kind.__name__)))


def settings_of(kind: type[FileSource]) -> tuple[Field[object], ...]:
    """Return the fields of a kind besides the path."""
    return tuple(field for field in fields(kind) if field.name != "path")


def find_source(given: str | Path | FileSource) -> FileSource | None:
    """Return the source that a path names, or None for ``module:function``.

    Args:
        given: A path, the name of a function, or a source, which is checked.

    Raises:
        DataError: There is no such file or folder, or it is of no known kind.
        UsageError: A setting of the source has a wrong type or value.
    """
    if isinstance(given, FileSource):
        return given.validated()
    kind = _kind_of(given)
    return None if kind is None else kind(str(given))


def with_settings(
    sources: Mapping[str, str | FileSource], settings: Mapping[str, object]
) -> dict[str, str | FileSource]:
    """Return data sources with the settings that options give. Each source takes those that its kind has.

    Args:
        sources: Paths, by the name of the option.
        settings: Values by name; those that were not given are left out.

    Raises:
        DataError: A path is of no known kind.
        UsageError: No source takes a setting.
    """
    found: dict[str, str | FileSource] = {}
    unused = dict(settings)
    for name, source in sources.items():
        kind = None if isinstance(source, FileSource) or not settings else _kind_of(source)
        own = set() if kind is None else {field.name for field in settings_of(kind)} & set(settings)
        found[name] = source
        if kind is not None and own:
            found[name] = kind(str(source), **{setting: settings[setting] for setting in own})
        unused = {setting: value for setting, value in unused.items() if setting not in own}
    if unused:
        raise _unused(next(iter(unused)), [str(source) for source in sources.values()])
    return found


def source_from(record: Mapping[str, object]) -> FileSource:
    """Return a source from its record in a manifest.

    Raises:
        UsageError: The record is damaged, or of a kind that this version does not know.
    """
    import msgspec

    hint = "Run compress with the data again."
    all_kinds()
    kind = REGISTERED.get(str(record.get("kind")))
    if kind is None:
        raise UsageError(f"the recorded data source is of the unknown kind '{record.get('kind')}'", hint)
    try:
        return msgspec.convert({name: v for name, v in record.items() if name != "kind"}, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"the recorded data source cannot be read: {error}", hint) from error


def described_kinds() -> str:
    """Return all kinds in words, for messages: ``an .npz file, a CSV file, a folder of images``."""
    return ", ".join(kind.described for kind in all_kinds())


def _kind_of(given: str | Path) -> type[FileSource] | None:
    """Return the kind of a path; None for ``module:function``."""
    path = Path(given)
    for kind in all_kinds():
        if kind.recognizes(path):
            return kind
    if ":" in str(given) and not path.exists():
        return None
    if not path.exists():
        raise DataError(f"{given}: no such file or folder", "Check the path, or give module:function.")
    raise DataError(
        f"{given}: no kind of file that can be read", f"Give {described_kinds()}, or module:function."
    )


def _unused(setting: str, sources: list[str]) -> UsageError:
    option = f"--{setting.replace('_', '-')}"
    takers = [kind.heading for kind in all_kinds() if setting in {f.name for f in settings_of(kind)}]
    if not sources:
        return UsageError(f"{option} was given without data", "Give --data=FILE.")
    given = " and ".join(dict.fromkeys(sources))
    return UsageError(f"{option} does not apply to {given}", f"It is for {' and '.join(takers)}; remove it.")
