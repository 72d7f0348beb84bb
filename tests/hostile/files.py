"""Ten valid ``.tflite`` files of every kind, to be damaged."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


def valid_files(digits: Path, keras: ModuleType) -> dict[str, bytes]:
    """Content by name: types, operators, subgraphs, several ports, encoded weights."""
    from tests.models.zoo import models
    from tflite_compress.conversion.converter import ConverterSettings, convert_network
    from tflite_compress.models.load import load_model
    from tflite_compress.models.network import Network
    from tflite_compress.tflite.slim_file import list_slimming_steps, slim_file
    from tflite_compress.timing.roofline import build_peak_model

    generator = np.random.default_rng(0)

    def converted(network: Network, precision: Any, integer_io: bool = False) -> bytes:
        shapes = [(8, *(d or 4 for d in port.shape[1:])) for port in network.inputs]
        samples = tuple(generator.random(shape).astype(np.float32) for shape in shapes)
        return convert_network(
            network, ConverterSettings(precision=precision, integer_io=integer_io), samples, lambda n: None
        )[0]

    network = load_model(digits).network
    zoo = models(keras)

    def of_zoo(name: str) -> Network:
        return load_model(zoo[name]()).network

    return {
        "float32": converted(network, "float32"),
        "float16": converted(network, "float16"),
        "dynamic": converted(network, "dynamic"),
        "int8": slim_file(converted(network, "int8", True), list_slimming_steps("safe")),
        "int16x8": converted(network, "int16x8", True),
        "lstm": converted(of_zoo("lstm"), "float32"),
        "gru": converted(of_zoo("gru"), "float32"),  # a WHILE with subgraphs of its own
        "transposed": converted(of_zoo("conv2d_transpose"), "int8", True),
        "several": converted(of_zoo("multi_output"), "float32"),
        "pointwise": build_peak_model("INT8"),
    }
