"""One step of an optimizer inside a traced function."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tflite_compress.models.keras_types import Tensor, Variable


class Optimizer(Protocol):
    """A tf_keras optimizer."""

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Tensor | None, Variable]],
        *,
        skip_gradients_aggregation: bool,
    ) -> object:
        """Change weights."""


def update_weights(
    optimizer: Optimizer, gradients: Iterable[Tensor | None], weights: Iterable[Variable]
) -> None:
    """Let a tf_keras optimizer change weights.

    The sum of gradients over devices is left out: there is one device, and TensorFlow never frees a graph
    that contains that sum, because it keeps the gradient function of the sum in a global table.

    Args:
        optimizer: A tf_keras optimizer.
        gradients: One for each weight; None for a weight that nothing depends on.
        weights: The weights.
    """
    pairs = zip(gradients, weights, strict=True)
    optimizer.apply_gradients(pairs, skip_gradients_aggregation=True)
