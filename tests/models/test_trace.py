"""What the converter is given."""

from __future__ import annotations

from types import ModuleType

from tests.models.zoo import models
from tests.narrow import of_type
from tests.samples import random_samples
from tflite_compress.models.load import load_model
from tflite_compress.models.trace import traced
from tflite_compress.support.backend import tensorflow


def test_the_converter_gets_the_variables_and_not_the_model(keras: ModuleType, keras2: ModuleType) -> None:
    """With the model it would trace every layer again: an LSTM took twenty times as long."""
    network = load_model(models(keras)["lstm"]()).network
    concrete, owner = traced(network, 1)
    assert not isinstance(owner, keras2.Model) and not hasattr(owner, "layers")
    module = of_type(tensorflow().Module, owner)
    function = of_type(tensorflow().types.experimental.ConcreteFunction, concrete)
    held, used = ({id(v) for v in found} for found in (module.held, function.variables))
    assert held == used and len(held) == len(network.handle.variables)
    (x,) = random_samples(network, 1)
    assert set(function(tensorflow().constant(x))) == {port.name for port in network.outputs}
