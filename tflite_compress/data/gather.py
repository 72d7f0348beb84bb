"""From what the user gave to the three splits, checked against the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_compress.data.samples import RawData, Samples, bind
from tflite_compress.data.sources import ReadOptions, read
from tflite_compress.data.split import Splits, from_sources, split
from tflite_compress.models.network import Network
from tflite_compress.support.errors import UsageError

RANDOM_ORIGIN = "random inputs"
RANDOM_SAMPLES = 64


@dataclass(frozen=True)
class DataSpec:
    """Where data comes from and how to read it.

    Attributes:
        data: One source for everything, split here.
        train, calibrate, evaluate: Separate sources.
        preprocess, resize: See ``ReadOptions``.
    """

    data: Any = None
    train: Any = None
    calibrate: Any = None
    evaluate: Any = None
    preprocess: str = "none"
    resize: bool = False

    @property
    def given(self) -> bool:
        """True where there is any data."""
        return any(x is not None for x in (self.data, self.train, self.calibrate, self.evaluate))

    @property
    def only_evaluation(self) -> bool:
        """True where there is data to evaluate on, and none to train or calibrate with."""
        return self.evaluate is not None and self.data is self.train is self.calibrate is None


def gather(spec: DataSpec, network: Network, seed: int) -> Splits:
    """Read, check and split the data; random inputs where there is none.

    With evaluation data alone, training and calibration samples are random inputs, which
    ``compression.compress`` allows for plans that need neither.

    Args:
        spec: Where data comes from.
        network: The model it must fit.
        seed: Seed of the split.

    Raises:
        DataError: A source is missing, malformed, or does not fit the model.
        UsageError: The sources given contradict each other.
    """
    if not spec.given:
        return _random_splits(network, seed)
    if spec.data is not None and (spec.train is not None or spec.calibrate is not None):
        raise UsageError(
            "--data goes with --eval at most",
            "Give one source as --data, or --train, --calibrate and --eval.",
        )
    options = ReadOptions(network.inputs[0], spec.preprocess, spec.resize)

    def load(source: Any) -> dict[str, Samples]:
        found: dict[str, RawData] = read(source, options)
        return {name: bind(raw, network.inputs, network.outputs) for name, raw in found.items()}

    def one(source: Any) -> Samples | None:
        return None if source is None else next(iter(load(source).values()))

    evaluate = one(spec.evaluate)
    if evaluate is not None and spec.only_evaluation:
        unused = _random_splits(network, seed)
        return Splits(unused.train, unused.calibrate, evaluate)
    if spec.data is not None:
        found = load(spec.data)
        if "eval" in found:
            return from_sources(found["train"], None, evaluate or found["eval"], seed)
        if evaluate is not None:
            return from_sources(found["all"], None, evaluate, seed)
        return split(found["all"], seed)
    base = one(spec.train)
    calibrate = one(spec.calibrate)
    if evaluate is None:
        divided = split(base if base is not None else calibrate, seed)  # type: ignore[arg-type]
        if base is not None and calibrate is not None:
            return Splits(divided.train, calibrate, divided.evaluate)
        return divided
    return from_sources(base, calibrate, evaluate, seed)


def _random_splits(network: Network, seed: int) -> Splits:
    """Unit-normal float inputs and small whole numbers, only to compare outputs on."""
    rng = np.random.default_rng(seed)
    arrays = []
    for port in network.inputs:
        shape = (RANDOM_SAMPLES, *(d or 16 for d in port.shape[1:]))
        if port.dtype.startswith("float"):
            arrays.append(rng.standard_normal(shape).astype(port.dtype))
        else:
            arrays.append(rng.integers(0, 2, shape).astype(port.dtype))
    samples = Samples(tuple(arrays), None, RANDOM_ORIGIN)
    return Splits(samples, samples, samples)
