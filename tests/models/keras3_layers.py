"""Every layer of Keras 3 once, as branches of one functional model."""

from __future__ import annotations

import inspect
import re
from types import ModuleType
from typing import Any

# Constructor arguments of layers that need some.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "relu"},
    "AutoContrast": {"value_range": (0, 1)},
    "CategoryEncoding": {"num_tokens": 5},
    "Discretization": {"bin_boundaries": [0.0, 1.0]},
    "Dot": {"axes": 1},
    "EinsumDense": {"equation": "abc,cd->abd", "output_shape": (None, 3)},
    "Embedding": {"input_dim": 9, "output_dim": 3},
    "GroupedQueryAttention": {"head_dim": 3, "num_query_heads": 2, "num_key_value_heads": 1},
    "GroupNormalization": {"groups": 2},
    "Hashing": {"num_bins": 5},
    "HashedCrossing": {"num_bins": 5},
    "IntegerLookup": {"vocabulary": [1, 2]},
    "MelSpectrogram": {"fft_length": 8, "sequence_stride": 4},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
    "Normalization": {"mean": [0.5], "variance": [2.0]},
    "Permute": {"dims": (2, 1)},
    "RandomCrop": {"height": 4, "width": 4},
    "RandomElasticTransform": {},
    "RandomPosterization": {"factor": 4},
    "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1},
    "RandomZoom": {"height_factor": 0.1},
    "RepeatVector": {"n": 3},
    "Rescaling": {"scale": 0.5},
    "Reshape": {"target_shape": (-1, 2)},
    "ReversibleEmbedding": {"input_dim": 9, "output_dim": 3},
    "STFTSpectrogram": {"mode": "real", "frame_length": 4, "frame_step": 2, "fft_length": 4},
}
_BY_PARAMETER: dict[str, Any] = {
    "units": 3,
    "filters": 3,
    "kernel_size": 3,
    "pool_size": 2,
    "rate": 0.3,
    "factor": 0.3,
    "stddev": 0.1,
    "height": 4,
    "width": 4,
    "output_size": 2,
    "value_range": (0, 1),
}
# The rank of the input, without batch, where the name does not say it.
_RANKS = {
    **dict.fromkeys(
        ("Permute", "EinsumDense", "MultiHeadAttention", "GroupedQueryAttention", "GRU", "LSTM"), 2
    ),
    **dict.fromkeys(("SimpleRNN", "RNN", "Bidirectional", "TimeDistributed", "Masking", "Attention"), 2),
    **dict.fromkeys(("AdditiveAttention", "STFTSpectrogram"), 2),
}
QUERIES = ("GroupedQueryAttention", "MultiHeadAttention")  # called with a query and a value
LISTS = (
    "AdditiveAttention",
    "Attention",
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
)
TEXT = ("HashedCrossing", "StringLookup", "TextVectorization")
# They need code or another framework, are bases or cells of others, take bounding boxes, or (Equalization)
# make a graph that Keras itself refuses.
OTHERS = (
    *("FlaxLayer", "JaxLayer", "Lambda", "Layer", "InputLayer", "TFSMLayer", "TorchModuleWrapper", "Wrapper"),
    *(
        "GRUCell",
        "LSTMCell",
        "SimpleRNNCell",
        "StackedRNNCells",
        "MaxNumBoundingBoxes",
        "Pipeline",
        "Equalization",
    ),
)


def layer_classes(keras: ModuleType) -> list[type]:
    """Return the layer classes of Keras 3 that take numbers, sorted by name."""
    found = {
        kind
        for _, kind in inspect.getmembers(keras.layers, inspect.isclass)
        if issubclass(kind, keras.Layer) and kind.__name__ not in (*TEXT, *OTHERS)
    }
    return sorted(found, key=lambda kind: kind.__name__)


def made(keras: ModuleType, kind: type) -> Any:
    """Make a layer with small arguments, named after its class."""
    name = kind.__name__
    layers = keras.layers
    inner = {
        "Bidirectional": lambda: {"layer": layers.LSTM(3)},
        "RNN": lambda: {"cell": layers.LSTMCell(3)},
        "SpectralNormalization": lambda: {"layer": layers.Dense(3)},
        "TimeDistributed": lambda: {"layer": layers.Dense(3)},
    }
    needed = {
        parameter.name: _BY_PARAMETER[parameter.name]
        for parameter in inspect.signature(kind).parameters.values()
        if parameter.default is parameter.empty and parameter.name in _BY_PARAMETER
    }
    return kind(**(inner[name]() if name in inner else _ARGUMENTS.get(name, needed)), name=f"{name}_layer")


def rank(kind: type, keras: ModuleType) -> int:
    """Return the rank of a layer's input, without batch."""
    name = kind.__name__
    if name in _RANKS:
        return _RANKS[name]
    recurrent = name.startswith("ConvLSTM")
    if found := re.search(r"([123])D", name):
        return int(found[1]) + 1 + recurrent
    return 3 if "image_preprocessing" in kind.__module__ else 1


def every_layer(keras: ModuleType, classes: list[type]) -> Any:
    """Return a model with one branch for each class; its inputs have ranks 1 to 5."""
    keras.utils.set_random_seed(0)
    shapes = [(8,), (6, 4), (8, 8, 3), (4, 4, 4, 2), (2, 4, 4, 4, 2)]
    inputs = [keras.Input(shape, name=f"rank_{len(shape)}") for shape in shapes]
    outputs = []
    for kind in classes:
        x = inputs[rank(kind, keras) - 1]
        layer = made(keras, kind)
        if kind.__name__ in QUERIES:
            outputs.append(layer(x, x))
        else:
            outputs.append(layer([x, x] if kind.__name__ in LISTS else x))
    return keras.Model(inputs, outputs)
