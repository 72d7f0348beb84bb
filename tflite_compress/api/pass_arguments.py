"""Checks of passes that a Python call gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tflite_compress.passes import Domain, PassConfig, Stage, pass_type
from tflite_compress.profiles.toml_files import typed
from tflite_compress.support.errors import DataError, UsageError

if TYPE_CHECKING:
    from tflite_compress.data.gather import DataSpec


def checked_pass(step: PassConfig) -> PassConfig:
    """Check a pass's settings, which its constructor does not."""
    if not isinstance(step, PassConfig):
        raise UsageError(
            f"a {type(step).__name__} is not a pass", "Give passes, for example PruneChannels(0.5)."
        )
    return typed(msgspec.to_builtins(step), pass_type(step.tag()), step.tag())


def require_network_pass(step: PassConfig) -> PassConfig:
    """Return a pass that gives a Keras model; refuse one that converts or needs a conversion."""
    if step.domain is Domain.NETWORK and step.stage <= Stage.REPAIR:
        return step
    raise UsageError(
        f"pass '{step.tag()}' does not give a Keras model",
        "Put it into chain(...), and call convert or compress with that.",
    )


def require_data(passes: tuple[PassConfig, ...], spec: DataSpec) -> None:
    """Refuse passes that train or calibrate if no data were given."""
    if spec.given:
        return
    for step in passes:
        if step.needs_training:
            raise DataError(f"pass '{step.tag()}' trains and no data was given", "Give data=(x, y).")
        if step.needs_calibration:
            raise DataError(
                f"pass '{step.tag()}' needs calibration samples and none were given",
                "Give representative samples x, or convert with Float16() or Dynamic().",
            )
