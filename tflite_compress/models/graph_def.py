"""Types for TensorFlow's ``GraphDef``, the attributes that this tool uses."""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence, Sequence
from typing import Literal, Protocol


class Called(Protocol):
    """The name of a function as the value of an attribute."""

    name: str


class TensorProto(Protocol):
    """A constant."""

    dtype: int

    def CopyFrom(self, other: TensorProto) -> None:  # noqa: N802
        """Replace type, shape and values by those of another constant."""


class AttrList(Protocol):
    """A list as the value of an attribute."""

    @property
    def type(self) -> MutableSequence[int]:
        """Codes of element types."""

    @property
    def func(self) -> Sequence[Called]:
        """Functions."""


class AttrValue(Protocol):
    """The value of an attribute of a node."""

    type: int

    @property
    def list(self) -> AttrList:
        """The value if it is a list."""

    @property
    def tensor(self) -> TensorProto:
        """The value if it is a constant."""

    @property
    def func(self) -> Called:
        """The value if it is a function."""

    def WhichOneof(self, group: Literal["value"]) -> str | None:  # noqa: N802
        """Return which kind of value it is."""


class NodeDef(Protocol):
    """A node."""

    name: str
    op: str

    @property
    def attr(self) -> Attributes:
        """Attributes by name."""


class Attributes(Protocol):
    """The attributes of a node by name."""

    def __getitem__(self, name: str) -> AttrValue: ...

    def values(self) -> Iterator[AttrValue]:
        """Return the values."""


class Argument(Protocol):
    """An input or output of a function."""

    type: int


class Signature(Protocol):
    """Name, inputs and outputs of a function."""

    name: str

    @property
    def input_arg(self) -> Sequence[Argument]:
        """Inputs."""

    @property
    def output_arg(self) -> Sequence[Argument]:
        """Outputs."""


class FunctionDef(Protocol):
    """A function that nodes call."""

    @property
    def signature(self) -> Signature:
        """Name, inputs and outputs."""

    @property
    def node_def(self) -> Sequence[NodeDef]:
        """The nodes of its body."""


class Library(Protocol):
    """The functions of a graph."""

    @property
    def function(self) -> Sequence[FunctionDef]:
        """The functions."""


class GraphDef(Protocol):
    """A graph as TensorFlow serializes it."""

    @property
    def node(self) -> Sequence[NodeDef]:
        """Nodes outside functions."""

    @property
    def library(self) -> Library:
        """Functions that the nodes call."""


class Graph(Protocol):
    """A TensorFlow graph."""

    def as_graph_def(self) -> GraphDef:
        """Return the graph as TensorFlow serializes it."""


class ConcreteFunction(Protocol):
    """A traced ``tf.function``."""

    @property
    def graph(self) -> Graph:
        """Its graph."""


def all_nodes(graph: GraphDef) -> Iterator[NodeDef]:
    """Yield the nodes of a graph and of its functions."""
    yield from graph.node
    for body in graph.library.function:
        yield from body.node_def
