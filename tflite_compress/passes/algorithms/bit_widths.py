"""Choose the layers with fewer bits by an integer program."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def choose_layers(noise: Mapping[str, float], saved: Mapping[str, int], needed: int) -> list[str] | None:
    """Return the layers that save enough bytes with the least noise together, solved exactly by HiGHS.

    Noise powers of layers add up, because the errors of their weights are independent.

    Args:
        noise: Noise power in the network's outputs that fewer bits in a layer alone cause, by layer.
        saved: Bytes that fewer bits in a layer save.
        needed: Bytes to save.

    Returns:
        The layers in the order of ``noise``; None if all of them together save less.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    names = [*noise]
    if sum(saved[name] for name in names) < needed:
        return None
    if not names or needed <= 0:
        return []
    costs = np.array([noise[name] for name in names])
    costs = costs / max(float(costs.max()), 1e-30)
    bytes_ = np.array([float(saved[name]) for name in names])
    found = milp(
        costs,
        integrality=np.ones(len(names)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(bytes_[np.newaxis], lb=needed),
    )
    return [name for name, share in zip(names, found.x, strict=True) if share > 0.5]
