"""Choose an exponent for every tensor so that its values times 2^-exponent fit a range.

Tensors that must have equal exponents form a class. Classes get the smallest exponent that they need. Where
products and squares need a larger one than their inputs give, the inputs are raised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.scaling_rules import Scaling, scaling_of
from tflite_compress.tflite.tree import Operator

_MAX_ROUNDS = 200
_NO_NEED = -(10**6)


def needed_exponent(peak: float, limit: float) -> int:
    """Return the smallest integer e with peak * 2^-e <= limit; very small for a peak of 0."""
    return math.ceil(math.log2(peak / limit)) if peak > 0 else _NO_NEED


@dataclass(frozen=True)
class _Definer:
    """What fills a tensor: an operator, or the caller if ``op`` is None."""

    op: Operator | None
    scaling: Scaling


class Exponents:
    """Exponents of the tensors of a graph.

    Args:
        editor: The graph.
        needs: Smallest exponent of each float tensor that is not a constant; see :func:`needed_exponent`.
        sum_needs: The same for sums of products, by output.
    """

    def __init__(self, editor: GraphEditor, needs: Mapping[int, int], sum_needs: Mapping[int, int]) -> None:
        self._editor, self._needs, self._sum_needs = editor, needs, sum_needs
        self.scalings = [scaling_of(editor, op) for op in editor.graph.operators]
        self._parents: dict[int, int] = {}
        self._raised: dict[int, int] = {}
        self._found: dict[int, int] = {}
        self._join()
        self._definers = self._find_definers()
        self._lows = self._find_lows()
        for _ in range(_MAX_ROUNDS):
            if not self._raise_inputs():
                break
            self._found = {}

    def of(self, index: int) -> int:
        """Return the exponent that a tensor's readers see."""
        group = self._group(index)
        if group not in self._found:
            self._found[group] = 0  # a tensor that depends on itself has no definers but operators
            self._found[group] = self._choose(group)
        return self._found[group]

    def raw(self, op: Operator, scaling: Scaling) -> int:
        """Return the exponent of what an operator gives before any correction."""
        inputs = [int(op.inputs[p]) for p in scaling.data]
        output = int(op.outputs[0])
        if scaling.rule == "product":
            return self.of(inputs[0]) + self.of(inputs[1])
        if scaling.rule == "quotient":
            return self.of(inputs[0]) - self.of(inputs[1])
        if scaling.rule == "power":
            return math.floor(scaling.power * self.read(op, scaling))
        if scaling.rule in ("linear", "gain") and scaling.is_clamped:
            return max(0, self._sum_needs.get(output, _NO_NEED))
        return 0 if scaling.rule == "fixed" else self.of(output)

    def read(self, op: Operator, scaling: Scaling) -> int:
        """Return the exponent in which an operator reads its first activation."""
        exponent = self.of(int(op.inputs[scaling.data[0]]))
        odd_root = scaling.rule == "power" and scaling.power in (0.5, -0.5) and exponent % 2
        return exponent + 1 if odd_root else exponent

    def _floats(self, indices: object) -> list[int]:
        editor = self._editor
        return [int(i) for i in indices if editor.is_float(int(i)) and not editor.is_constant(int(i))]  # type: ignore[attr-defined]

    def _join(self) -> None:
        for op, scaling in zip(self._editor.graph.operators, self.scalings, strict=True):
            inputs = [int(op.inputs[p]) for p in scaling.data]
            if scaling.rule == "same":
                inputs += self._floats(op.outputs)
            elif scaling.rule != "power":
                continue
            for index in inputs[1:]:
                self._parents[self._group(index)] = self._group(inputs[0])

    def _group(self, index: int) -> int:
        while index in self._parents and self._parents[index] != index:
            index = self._parents[index]
        return index

    def _find_definers(self) -> dict[int, list[_Definer]]:
        found: dict[int, list[_Definer]] = {}
        for index in self._floats(self._editor.graph.inputs):
            found.setdefault(self._group(index), []).append(_Definer(None, Scaling("fixed")))
        for op, scaling in zip(self._editor.graph.operators, self.scalings, strict=True):
            if scaling.rule != "same":
                for index in self._floats(op.outputs):
                    found.setdefault(self._group(index), []).append(_Definer(op, scaling))
        return found

    def _find_lows(self) -> dict[int, int]:
        lows: dict[int, int] = {}
        for index, need in self._needs.items():
            lows[self._group(index)] = max(lows.get(self._group(index), _NO_NEED), need)
        for op, scaling in zip(self._editor.graph.operators, self.scalings, strict=True):
            if scaling.sums and not scaling.is_clamped and len(op.outputs):
                group, need = (
                    self._group(int(op.outputs[0])),
                    self._sum_needs.get(int(op.outputs[0]), _NO_NEED),
                )
                lows[group] = max(lows.get(group, _NO_NEED), need)
        return lows

    def _choose(self, group: int) -> int:
        low = max(self._lows.get(group, _NO_NEED), self._raised.get(group, _NO_NEED))
        definers = self._definers.get(group, [])
        if len(definers) == 1 and definers[0].op is not None:
            op, scaling = definers[0].op, definers[0].scaling
            if scaling.rule in ("product", "quotient", "power"):
                return max(low, self.raw(op, scaling))
            if scaling.rule == "gain" and self._is_multiplied(group):
                return max(low, self.of(int(op.inputs[scaling.data[0]])))
        return max(low, 0)

    def _is_multiplied(self, group: int) -> bool:
        """Return True if a product or root of a tensor of the group is computed."""
        rows = zip(self._editor.graph.operators, self.scalings, strict=True)
        return any(
            scaling.rule in ("product", "quotient", "power", "gain")
            and any(self._group(int(op.inputs[p])) == group for p in scaling.data)
            for op, scaling in rows
        )

    def _raise_inputs(self) -> bool:
        """Raise the inputs of products and squares whose results need a larger exponent than they have."""
        for op, scaling in zip(self._editor.graph.operators, self.scalings, strict=True):
            if scaling.rule not in ("product", "quotient", "power") or not len(op.outputs):
                continue
            output = int(op.outputs[0])
            need = max(self._needs.get(output, _NO_NEED), self._sum_needs.get(output, _NO_NEED))
            missing = need - self.raw(op, scaling)
            if missing > 0 and scaling.power > 0:
                self._raise(op, scaling, math.ceil(missing / scaling.power))
                return True
        return False

    def _raise(self, op: Operator, scaling: Scaling, by: int) -> None:
        inputs = [int(op.inputs[p]) for p in scaling.data]
        widest = max(inputs, key=lambda i: self._needs.get(i, _NO_NEED) - self.of(i))
        chosen = inputs[0] if scaling.rule == "quotient" else widest
        self._raised[self._group(chosen)] = self.of(chosen) + by
