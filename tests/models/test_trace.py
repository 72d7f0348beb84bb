"""What the converter is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.models.zoo import models
from tflite_compress.models.load import load_model
from tflite_compress.models.trace import traced
from tflite_compress.support.backend import tensorflow


def test_the_converter_gets_the_variables_and_not_the_model(keras: Any, keras2: Any) -> None:
    """With the model it would trace every layer again: an LSTM took twenty times as long."""
    network = load_model(models(keras)["lstm"]()).network
    concrete, owner = traced(network, 1)
    assert not isinstance(owner, keras2.Model) and not hasattr(owner, "layers")
    held, used = ({id(v) for v in found} for found in (owner.held, concrete.variables))
    assert held == used and len(held) == len(network.handle.variables)
    (x,) = (np.zeros((1, *port.shape[1:]), port.dtype) for port in network.inputs)
    assert set(concrete(tensorflow().constant(x))) == {port.name for port in network.outputs}
