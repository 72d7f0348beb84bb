"""Random samples for the inputs of a network."""

from __future__ import annotations

import numpy as np

from tflite_compress.models.network import Network


def random_samples(network: Network, count: int) -> tuple[np.ndarray, ...]:
    """Return seeded samples, one array per input: normally distributed, or integers from 0 to 8."""
    rng = np.random.default_rng(0)
    arrays = []
    for spec in network.inputs:
        shape = tuple(size for size in spec.shape[1:] if size is not None)
        assert len(shape) == len(spec.shape) - 1, f"input '{spec.name}' has open dimensions"
        is_integer = np.issubdtype(np.dtype(spec.dtype), np.integer)
        values = rng.integers(0, 9, (count, *shape)) if is_integer else rng.normal(size=(count, *shape))
        arrays.append(values.astype(spec.dtype))
    return tuple(arrays)
