"""Outputs that a file has in parts, and how the parts make the original output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np


class OutputParts(msgspec.Struct, frozen=True):
    """Parts that are concatenated.

    Attributes:
        axis: Axis to concatenate along; 0 is the batch.
        parts: Names of outputs of the file, or parts of parts.
    """

    axis: int
    parts: tuple[str | OutputParts, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all outputs of the file that it needs, in order."""
        names = ((part,) if isinstance(part, str) else part.names for part in self.parts)
        return tuple(name for found in names for name in found)

    def join(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the original output.

        Args:
            arrays: Outputs of the file by name, each of shape (samples, ...).
        """
        found = [arrays[part] if isinstance(part, str) else part.join(arrays) for part in self.parts]
        return np.concatenate(found, axis=self.axis)


class JoinedOutput(msgspec.Struct, frozen=True):
    """An output of the original model.

    Attributes:
        name: Its name.
        source: Name of the file's output that it is, or the parts that make it.
    """

    name: str
    source: str | OutputParts


def join_outputs(
    joined: Sequence[JoinedOutput], names: Sequence[str], arrays: Sequence[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """Return the outputs of the original model.

    Args:
        joined: The outputs of the original model; none if the file has the same outputs.
        names: Names of the file's outputs.
        arrays: The file's outputs, each of shape (samples, ...).
    """
    if not joined:
        return tuple(arrays)
    by_name = dict(zip(names, arrays, strict=True))
    return tuple(
        by_name[one.source] if isinstance(one.source, str) else one.source.join(by_name) for one in joined
    )


def file_outputs(joined: Sequence[JoinedOutput]) -> tuple[str, ...]:
    """Return the names of the file's outputs that the outputs of the original model are made of."""
    return tuple(
        name
        for one in joined
        for name in ((one.source,) if isinstance(one.source, str) else one.source.names)
    )
