"""Which detection heads there are: the modules of ``scoring.heads``, whose names are known before import."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tflite_compress.support.errors import DataError, UsageError, closest

if TYPE_CHECKING:
    from tflite_compress.scoring.head_types import Decoder, DetectionHead, HeadSample

_FOLDER = Path(__file__).with_name("heads")


class FoundHead(NamedTuple):
    """A head with the decoder for a model.

    Attributes:
        head: The head.
        decoder: Decodes the model's outputs.
    """

    head: DetectionHead
    decoder: Decoder


@functools.cache
def head_names() -> tuple[str, ...]:
    """Return the names of all heads, sorted."""
    return tuple(sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules([str(_FOLDER)])))


@functools.cache
def all_heads() -> dict[str, DetectionHead]:
    """Return every head by its name."""
    from tflite_compress.scoring.head_types import HEADS

    for name in head_names():
        importlib.import_module(f"{__package__}.heads.{name.replace('-', '_')}")
    return {name: HEADS[name] for name in head_names()}


def head_name(name: str) -> str:
    """Return the name of a head; underscores count as hyphens.

    Raises:
        UsageError: There is no such head.
    """
    wanted = name.replace("_", "-")
    if wanted not in head_names():
        raise UsageError(
            f"--head={name}: there is no such head.{closest(wanted, list(head_names()))}",
            f"Use one of {', '.join(head_names())}.",
        )
    return wanted


def head_template(name: str, suffix: str) -> Path:
    """Return the template of a head in another language.

    Args:
        name: Name of the head.
        suffix: ``.h`` for C or ``.kt`` for Kotlin.
    """
    return _FOLDER / f"{name.replace('-', '_')}{suffix}"


def find_head(sample: HeadSample, name: str | None) -> FoundHead:
    """Return the head of a detector.

    Args:
        sample: The outputs on some images.
        name: Name of the head; None to recognize it.

    Raises:
        DataError: The outputs fit no head, or several.
        UsageError: There is no such head.
    """
    names = all_heads() if name is None else (head_name(name),)
    decoders = {each: all_heads()[each].find_decoder(sample) for each in names}
    found = [FoundHead(all_heads()[each], d) for each, d in decoders.items() if d is not None]
    if len(found) == 1:
        return found[0]
    shapes = ", ".join(str(output.shape[1:]) for output in sample.outputs)
    if name is not None:
        takes = all_heads()[head_name(name)].summary
        raise DataError(f"--head={name} does not fit outputs of shape {shapes}", f"It takes {takes}.")
    if found:
        options = " or ".join(f"--head={one.head.name}" for one in found)
        raise DataError(f"several detection heads fit outputs of shape {shapes}", f"Name one: {options}.")
    raise DataError(
        f"no detection head is known for outputs of shape {shapes}",
        "Name a function that returns boxes and scores of the outputs: --head=module:function.",
    )
