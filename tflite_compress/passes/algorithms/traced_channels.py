"""The channels of a network with their costs, and what to say about those that were removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from tflite_compress.passes.base import Context
from tflite_compress.support.errors import ModelError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.channels.cost import Costs, Quantity
    from tflite_compress.channels.dependencies import Dependencies
    from tflite_compress.models.keras_types import KerasModel
    from tflite_compress.profiles.devices import Precision

    AnyPrecision = Literal["auto"] | Precision

WITHIN = 1.02  # tolerance of a target, because channels are removed in steps

Traced = tuple["Dependencies", "Costs"]


def traced(
    handle: KerasModel, context: Context, stays: Callable[[str], bool], precision: AnyPrecision
) -> Traced:
    """Return dependencies and costs. Free input dimensions get the size of the data.

    Args:
        handle: A tf_keras model.
        context: Data.
        stays: Returns True for the name of a layer that keeps all its channels.
        precision: The precision for which costs are computed; ``auto`` is int8.

    Raises:
        ModelError: All channels must stay.
    """
    from tflite_compress.channels.cost import costs
    from tflite_compress.channels.dependencies import trace
    from tflite_compress.models.graph import replay

    graph = handle
    if any(None in tuple(t.shape)[1:] for t in handle.inputs):
        shapes = [(None, *x.shape[1:]) for x in context.reference.splits.train.inputs]
        graph = replay(handle, lambda call: call.layer(*call.args, **call.kwargs), shapes)
    dependencies = trace(graph, stays)
    if not dependencies.count:
        why = reasons_in_words(dependencies) or "one layer only"
        raise ModelError(
            f"model '{handle.name}' has no channels to remove: {why}",
            "Choose a recipe without channel pruning, or make --exclude narrower.",
        )
    return dependencies, costs(dependencies, "int8" if precision == "auto" else precision)


def widths_of(before: KerasModel, after: KerasModel) -> dict[str, tuple[int, int]]:
    """Return the output channels before and after of each layer that has fewer."""
    keys = ("filters", "units", "output_dim")
    widths = {}
    for a, b in zip(before.layers, after.layers, strict=True):
        if a.weights and (key := next((k for k in keys if hasattr(a, k)), None)):
            widths[a.name] = (getattr(a, key), getattr(b, key))
    return {name: pair for name, pair in widths.items() if pair[0] != pair[1]}


def notes_on(before: Traced, after: Traced, targets: dict[Quantity, float]) -> list[Note]:
    """Return notes on the removed channels, on targets that were not reached, and on channels that stay."""
    (dependencies, costs), (_, costs_after) = before, after
    text = f"{dependencies.count - after[0].count} of {dependencies.count} removable channels were removed"
    notes = [Note("channels-removed", text)]
    for what, share in targets.items():
        full = costs.total(what, costs.sizes.astype(float))
        reached = costs_after.total(what, costs_after.sizes.astype(float)) / full
        if reached > share * WITHIN:
            word = "MACs" if what == "macs" else "size"
            text = (
                f"channel pruning reached {reached:.0%} of the {word}, not {share:.0%}: a tenth of each "
                f"layer's channels stay, and their number is a multiple of what the device prefers"
            )
            notes.append(Note("target-not-reached", text, "warning"))
    if dependencies.reasons:
        notes.append(Note("channels-kept", f"channels kept: {reasons_in_words(dependencies)}"))
    return notes


def reasons_in_words(dependencies: Dependencies) -> str:
    """Return which layers need channels and why, at most three of them."""
    shown = [f"'{layer}' ({why})" for layer, why in list(dependencies.reasons.items())[:3]]
    more = len(dependencies.reasons) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")
