"""Names of classes become numbers: in the order that is given, or in sorted order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError, UsageError, closest
from tflite_compress.support.notes import Note

SHOWN = 8


def choose_class_names(
    found: Sequence[str], given: Sequence[str] | None, output: TensorSpec | None, origin: str
) -> tuple[str, ...]:
    """Return the names of all classes in the order of the model's output.

    Args:
        found: The names in the data.
        given: The names that the user gave in order, or None.
        output: The model's output; None if unknown.
        origin: The source, for messages.

    Raises:
        UsageError: The user gave more or fewer names than the model has classes.
        DataError: The data have, so that sorting them would number them differently from the model.
    """
    count = _count(output)
    names = tuple(given or sorted(set(found)))
    if count is None or len(names) == count:
        return names
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    if given:
        raise UsageError(
            f"--classes={','.join(given)}: {len(given)} names, the model has {count} classes",
            f"Give {count} names.",
        )
    plural = "s" if len(names) > 1 else ""
    raise DataError(
        f"{origin}: {len(names)} class name{plural} ({shown}), the model has {count} classes",
        f"Name all {count} classes in the order of the model's outputs: --classes=NAME,...",
    )


def _count(output: TensorSpec | None) -> int | None:
    """Return the number of classes of an output; 2 for a single probability."""
    if output is None or len(output.shape) < 2 or output.shape[-1] is None:
        return None
    return 2 if output.shape[-1] == 1 else output.shape[-1]


def number_classes(words: np.ndarray, names: Sequence[str], place: Callable[[int], str]) -> np.ndarray:
    """Return the class number of each name, shape (samples,), int64.

    Args:
        words: Names of classes, shape (samples,).
        names: All names, in the order of their numbers.
        place: Returns where a sample comes from, for messages.

    Raises:
        DataError: A name is none of them.
    """
    known = {name: number for number, name in enumerate(names)}
    for index, word in enumerate(words):
        if word not in known:
            raise DataError(
                f"{place(index)}: no class '{word}'.{closest(str(word), names)}",
                f"The classes are {', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}.",
            )
    return np.array([known[word] for word in words], np.int64)


def numbering_note(names: Sequence[str]) -> Note:
    """Return a note that says which number each class got."""
    shown = ", ".join(f"{number} = {name}" for number, name in enumerate(names[:SHOWN]))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return Note(
        "class-numbers", f"class names are numbered in sorted order: {shown}{more}; --classes changes it"
    )


def is_number(text: str) -> bool:
    """Return whether a text can be read as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
