"""Read the user's data, check it against the model and split it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.data.samples import ArrayGroup, RawData, Samples, bind
from tflite_compress.data.sources import DataSource, Preprocess, ReadOptions, read
from tflite_compress.data.split import Splits, from_sources, split
from tflite_compress.models.fixed_shapes import input_sizes, open_inputs, with_shapes
from tflite_compress.models.network import Network, TensorSpec
from tflite_compress.support.errors import UsageError
from tflite_compress.support.input_shape import (
    InputShape,
    choose_shapes,
    describe_open,
    probe_shape,
    show_shape,
    suggest_shapes,
)
from tflite_compress.support.notes import Note

RANDOM_ORIGIN = "random inputs"
RANDOM_SAMPLES = 64


@dataclass(frozen=True)
class DataSpec:
    """Data sources and how to read them. :func:`read` lists the kinds of sources.

    Attributes:
        data: One source, which is split into training, calibration and evaluation samples.
        train, calibrate, evaluate: Separate sources.
        unlabelled: More training samples; labels that they have are not read.
        preprocess, resize: See :class:`ReadOptions`.
    """

    data: DataSource | None = None
    train: DataSource | None = None
    calibrate: DataSource | None = None
    evaluate: DataSource | None = None
    preprocess: Preprocess = "none"
    resize: bool = False
    unlabelled: DataSource | None = None

    @property
    def given(self) -> bool:
        """True if there is any source."""
        sources = (self.data, self.train, self.calibrate, self.evaluate, self.unlabelled)
        return any(source is not None for source in sources)

    @property
    def only_evaluation(self) -> bool:
        """True if there is evaluation data but no data to train or calibrate with."""
        others = (self.data, self.train, self.calibrate, self.unlabelled)
        return self.evaluate is not None and all(source is None for source in others)


def gather_fixed(
    spec: DataSpec, network: Network, seed: int, input_shape: InputShape | None = None
) -> tuple[Network, Splits]:
    """Read, check and split the data as :func:`gather` does, and fix open dimensions of the model's inputs.

    Args:
        spec: The data sources; none for random inputs.
        network: The model that the data must fit.
        seed: Seed of the split, and of random inputs.
        input_shape: Sizes of the model's inputs; see :func:`choose_shapes`. Those of the data by default.

    Returns:
        The network, whose inputs have one open dimension at most, the batch; and the samples. If sizes were
        taken from the data, a note on the evaluation samples says so.

    Raises:
        DataError: A source is missing, malformed, or does not fit the model.
        UsageError: The sources cannot be combined, or the sizes do not fit or are not known.
        ModelError: The model does not compute on inputs of these sizes.
    """
    if input_shape is not None:
        network = with_shapes(network, choose_shapes(input_shape, input_sizes(network)))
    opened = open_inputs(network)
    if not opened:
        return network, gather(spec, network, seed)
    if not spec.given:
        raise _unknown_sizes(network, opened)
    found = gather(spec, network, seed)
    arrays = zip(network.inputs, found.evaluate.inputs, strict=True)
    network = with_shapes(network, {port.name: x.shape[1:] for port, x in arrays})
    if spec.only_evaluation:
        unused = _random_splits(network, seed)
        found = Splits(unused.train, unused.calibrate, found.evaluate)
    evaluate = _rebound(found.evaluate, network)
    notes = (*evaluate.notes, _sizes_note(network, opened))
    return network, Splits(
        _rebound(found.train, network),
        _rebound(found.calibrate, network),
        replace(evaluate, notes=notes),
        None if found.unlabelled is None else _rebound(found.unlabelled, network),
    )


def _rebound(samples: Samples, network: Network) -> Samples:
    """Check samples against the network with fixed shapes."""
    inputs, outputs = network.tensor_names
    labels: ArrayGroup | None = samples.labels
    if samples.labels is not None:
        labels = samples.labels[0] if samples.has_boxes else dict(zip(outputs, samples.labels, strict=True))
    named = dict(zip(inputs, samples.inputs, strict=True))
    raw = RawData(named, labels, samples.origin, samples.class_names, samples.notes, samples.spans)
    return bind(raw, network.inputs, network.outputs)


def _unknown_sizes(network: Network, opened: tuple[TensorSpec, ...]) -> UsageError:
    return UsageError(
        describe_open({spec.name: spec.shape[1:] for spec in opened}),
        f"Give data, or choose the sizes, for example --input-shape={suggest_shapes(input_sizes(network))}.",
    )


def _sizes_note(network: Network, opened: tuple[TensorSpec, ...]) -> Note:
    """Return a note on the sizes that were taken from the data."""
    sizes = {spec.name: spec.shape[1:] for spec in network.inputs}
    parts = [f"'{s.name}' {show_shape(s.shape[1:])} became {show_shape(sizes[s.name])}" for s in opened]
    text = f"open dimensions got the size of the data: input {', '.join(parts)}; --input-shape chooses others"
    return Note("open-dimensions-fixed", text)


def gather(spec: DataSpec, network: Network, seed: int) -> Splits:
    """Read, check and split the data; without data, generate random inputs.

    With evaluation data alone, training and calibration samples are random inputs, which
    ``compression.compress`` allows for plans that need neither. Unlabelled data without training data are
    the training data.

    Args:
        spec: The data sources.
        network: The model that the data must fit.
        seed: Seed of the split, and of random inputs.

    Raises:
        DataError: A source is missing, malformed, or does not fit the model.
        UsageError: The sources cannot be combined.
    """
    if not spec.given:
        return _random_splits(network, seed)
    if spec.data is not None and (spec.train is not None or spec.calibrate is not None):
        raise UsageError(
            "data cannot be combined with train or calibrate",
            "Give one source as data, or separate sources for training, calibration and evaluation.",
        )
    unlabelled = _read_unlabelled(spec, network)
    if unlabelled is None or spec.data is not None or spec.train is not None:
        return replace(_read_splits(spec, network, seed, None), unlabelled=unlabelled)
    return _read_splits(spec, network, seed, unlabelled)


def _options(spec: DataSpec, network: Network) -> ReadOptions:
    names = tuple(tensor.name for tensor in network.inputs)
    return ReadOptions(
        network.inputs[0], spec.preprocess, spec.resize, input_names=names, outputs=network.outputs
    )


def _read_unlabelled(spec: DataSpec, network: Network) -> Samples | None:
    """Read the unlabelled samples. Classes of a folder are no labels here: they may be others."""
    if spec.unlabelled is None:
        return None
    raw = next(iter(read(spec.unlabelled, _options(spec, network)).values()))
    return bind(replace(raw, labels=None, class_names=()), network.inputs, network.outputs)


def _read_splits(spec: DataSpec, network: Network, seed: int, unlabelled: Samples | None) -> Splits:
    """Read and split the other sources, with unlabelled samples for training if there are no others."""
    options = _options(spec, network)

    def load(source: DataSource) -> dict[str, Samples]:
        found: dict[str, RawData] = read(source, options)
        return {name: bind(raw, network.inputs, network.outputs) for name, raw in found.items()}

    def load_one(source: DataSource | None) -> Samples | None:
        return None if source is None else next(iter(load(source).values()))

    evaluate = load_one(spec.evaluate)
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
    base = load_one(spec.train) if unlabelled is None else unlabelled
    calibrate = load_one(spec.calibrate)
    if evaluate is None:
        divided = split(base if base is not None else calibrate, seed)  # type: ignore[arg-type]
        if base is not None and calibrate is not None:
            return Splits(divided.train, calibrate, divided.evaluate)
        return divided
    return from_sources(base, calibrate, evaluate, seed)


def _random_splits(network: Network, seed: int) -> Splits:
    """Generate unit-normal floats and integers 0 or 1, which suffice to compare outputs."""
    arrays = _random_arrays(network, seed, whole=False)
    try:
        network.predict(arrays)
    except Exception:  # an Embedding takes class numbers, and often has a float input
        arrays = _random_arrays(network, seed, whole=True)
    samples = Samples(arrays, None, RANDOM_ORIGIN)
    return Splits(samples, samples, samples)


def _random_arrays(network: Network, seed: int, whole: bool) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    arrays = []
    for spec in network.inputs:
        shape = (RANDOM_SAMPLES, *probe_shape(spec.shape[1:]))
        if spec.dtype.startswith("float") and not whole:
            arrays.append(rng.standard_normal(shape).astype(spec.dtype))
        else:
            arrays.append(rng.integers(0, 2, shape).astype(spec.dtype))
    return tuple(arrays)
