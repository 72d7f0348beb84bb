"""Types for Keras objects: the attributes that this tool uses of Keras 2 (tf_keras) and Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

Config = dict[str, Any]  # a configuration as JSON: what get_config() returns
CustomObjects = Mapping[str, object]


class DType(Protocol):
    """The element type of a TensorFlow tensor."""

    @property
    def name(self) -> str:
        """NumPy's name of the type."""

    @property
    def is_floating(self) -> bool:
        """True for floating-point types."""

    @property
    def as_numpy_dtype(self) -> type[np.generic]:
        """The NumPy type."""

    @property
    def as_datatype_enum(self) -> int:
        """The code of the type in a ``GraphDef``."""


class Tensor(Protocol):
    """A TensorFlow tensor or a symbolic tensor of a Keras graph."""

    @property
    def shape(self) -> Sequence[int | None]:
        """Dimensions; None is free."""

    @property
    def dtype(self) -> DType:
        """Element type."""

    @property
    def name(self) -> str:
        """Name in the graph."""

    def __add__(self, other: object) -> Tensor: ...

    def __sub__(self, other: object) -> Tensor: ...

    def __mul__(self, other: object) -> Tensor: ...

    def __rmul__(self, other: object) -> Tensor: ...

    def __radd__(self, other: object) -> Tensor: ...

    def __rsub__(self, other: object) -> Tensor: ...

    def __lt__(self, other: object) -> Tensor: ...

    def __getitem__(self, index: object) -> Tensor: ...


class Variable(Tensor, Protocol):
    """A weight of a layer."""

    @property
    def shape(self) -> Sequence[int]:
        """Dimensions."""

    def numpy(self) -> np.ndarray:
        """Return the value as an array."""

    def assign(self, value: object) -> object:
        """Set the value."""


class Layer(Protocol):
    """A Keras layer or operation."""

    @property
    def name(self) -> str:
        """Name in its model."""

    @property
    def weights(self) -> Sequence[Variable]:
        """All weights, trainable or not."""

    @property
    def trainable_weights(self) -> Sequence[Variable]:
        """The weights that training changes."""

    @property
    def built(self) -> bool:
        """True once the weights exist."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Return the layer's output tensors."""

    def call(self, *args: object, **kwargs: object) -> object:
        """Compute the outputs; :meth:`__call__` wraps it."""

    def get_config(self) -> Config:
        """Return the constructor's arguments."""

    def get_build_config(self) -> Config:
        """Return what :meth:`build_from_config` needs to create the weights."""

    def build_from_config(self, config: Config) -> None:
        """Create the weights."""

    def get_weights(self) -> list[np.ndarray]:
        """Return the weights as arrays."""

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Set the weights from arrays in the order of :meth:`get_weights`."""

    def compute_mask(self, inputs: object, mask: object = None) -> object:
        """Return the mask of the outputs for inputs and their masks; None if there is none."""

    @classmethod
    def from_config(cls, config: Config) -> Layer:
        """Build a layer from its configuration."""

    @property
    def _inbound_nodes(self) -> Sequence[Node]: ...


class ConnectedLayer(Layer, Protocol):
    """A layer of Keras 2 in a functional model."""

    @property
    def input(self) -> Tensor:
        """Symbolic input."""

    @property
    def input_shape(self) -> Sequence[int | None]:
        """Shape of the input, with the batch."""

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights."""


class KernelLayer(ConnectedLayer, Protocol):
    """A convolution or dense layer of Keras 2."""

    kernel: Variable
    use_bias: bool


class ConvolutionLayer(KernelLayer, Protocol):
    """A convolution of Keras 2."""

    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...]
    padding: str


class BatchNorm(ConnectedLayer, Protocol):
    """A BatchNormalization layer of Keras 2."""

    axis: int | Sequence[int]
    scale: bool
    center: bool
    epsilon: float
    gamma: Variable
    beta: Variable
    moving_mean: Variable
    moving_variance: Variable


class RecurrentLayer(Layer, Protocol):
    """An LSTM, GRU or SimpleRNN layer of Keras 2."""

    stateful: bool
    return_state: bool
    return_sequences: bool
    go_backwards: bool
    time_major: bool
    zero_output_for_mask: bool


class Node(Protocol):
    """One call of a layer in a Keras graph."""

    @property
    def is_input(self) -> bool:
        """True for the node of a model's input."""

    @property
    def layer(self) -> Layer:
        """The layer that was called."""

    @property
    def keras_inputs(self) -> object:
        """Input tensors, flat or nested."""

    @property
    def input_tensors(self) -> object:
        """Input tensors, nested as the layer took them."""

    @property
    def call_args(self) -> Sequence[object]:
        """Positional arguments of the call."""

    @property
    def call_kwargs(self) -> Mapping[str, object]:
        """Keyword arguments of the call."""

    @property
    def parent_nodes(self) -> Sequence[Node]:
        """The calls that produced the inputs."""

    @property
    def outputs(self) -> object:
        """Output tensors, nested as the layer returned them."""


class KerasModel(Layer, Protocol):
    """A Keras model."""

    trainable: bool

    @property
    def layers(self) -> Sequence[Any]:
        """The model's layers, each with the attributes of its own class."""

    @property
    def inputs(self) -> Sequence[Tensor]:
        """Symbolic input tensors."""

    @property
    def outputs(self) -> Sequence[Tensor]:
        """Symbolic output tensors."""

    def get_layer(self, name: str) -> Any:
        """Return the layer with this name, with the attributes of its own class."""

    def count_params(self) -> int:
        """Return the number of weights."""

    @property
    def _nodes_by_depth(self) -> Mapping[int, Sequence[Node]]: ...

    @property
    def _output_layers(self) -> Sequence[Layer]: ...


class KerasModule(Protocol):
    """``tf_keras`` or ``keras``."""

    Input: Callable[..., Tensor]
    Model: Callable[..., KerasModel]


ChangeConfig = Callable[[Layer], Config]
