"""Blocks of layers whose rounding is learned together. A single tensor connects a block with the next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tflite_compress.models.keras_types import KerasModel, Tensor
from tflite_compress.models.wiring import Wiring, output_tensors, wiring

FINAL = ("softmax", "sigmoid")  # activations after which small differences can no longer be told apart
PASSIVE = ("ReLU", "LeakyReLU", "PReLU", "Activation", "Through", "Dropout")


@dataclass(frozen=True)
class Block:
    """A part of a network.

    Attributes:
        names: Layers whose rounding is learned, in order of execution.
        entry: The layer whose output the part reads; None for the inputs of the network.
        exit: The layer whose output the part returns; None for the outputs of the network.
    """

    names: tuple[str, ...]
    entry: str | None
    exit: str | None

    def entry_of(self, model: KerasModel) -> list[Tensor]:
        """Return the tensors that the part reads."""
        return [*model.inputs] if self.entry is None else output_tensors(model, self.entry)

    def exit_of(self, model: KerasModel) -> list[Tensor]:
        """Return the tensors that the part returns."""
        return [*model.outputs] if self.exit is None else output_tensors(model, self.exit)


def find_blocks(model: KerasModel, names: Collection[str], max_layers: int) -> list[Block]:
    """Divide a network at tensors that everything after them depends on.

    Layers between two such tensors, as in a residual block, stay together.

    Args:
        model: A functional tf_keras model.
        names: The layers whose rounding is learned.
        max_layers: Neighbouring parts are joined up to this number of such layers.

    Returns:
        The blocks in order of execution; each has at least one of the layers.
    """
    order = [layer.name for layer in model.layers]
    wires = wiring(model)
    cuts = _cuts(order, wires)
    found: list[Block] = []
    held: list[str] = []
    entry: str | None = None
    end: str | None = None
    for piece, cut in _pieces(order, cuts, names):
        if held and piece and len(held) + len(piece) > max_layers:
            found.append(Block(tuple(held), entry, end))
            entry, held = end, []
        if piece or (held and _is_passive(wires, cut)):
            held, end = [*held, *piece], cut
        elif not held:
            entry = cut
    if held:
        found.append(Block(tuple(held), entry, end))
    return found


def _cuts(order: list[str], wires: Wiring) -> list[str]:
    """Return the layers after which their output is the only tensor that is still needed."""
    index = {name: i for i, name in enumerate(order)}
    last = {
        name: len(order)
        if name in wires.outputs
        else max((index[r] for r in wires.readers[name]), default=-1)
        for name in order
    }
    cuts, needed = [], -1
    for i, name in enumerate(order):
        if needed <= i and name not in wires.shared and last[name] > i:
            cuts.append(name)
        needed = max(needed, last[name])
    return cuts


def _pieces(order: list[str], cuts: list[str], names: Collection[str]) -> list[tuple[list[str], str | None]]:
    """Return the layers to round up to each cut, with the cut; None is the end of the network."""
    found: list[tuple[list[str], str | None]] = []
    piece: list[str] = []
    for name in order:
        piece += [name] if name in names else []
        if name in cuts:
            found.append((piece, name))
            piece = []
    return [*found, (piece, None)] if piece else found


def _is_passive(wires: Wiring, name: str | None) -> bool:
    """Return True for a layer that belongs to the part before it."""
    layer = wires.layers.get(name or "")
    kind = getattr(getattr(layer, "activation", None), "__name__", "")
    return type(layer).__name__ in PASSIVE and kind not in FINAL
