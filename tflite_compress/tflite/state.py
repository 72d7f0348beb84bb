"""State that a ``.tflite`` keeps between runs."""

from __future__ import annotations

from dataclasses import dataclass

from tflite_compress.tflite.flatbuffer import operator_name, schema
from tflite_compress.tflite.tree import ModelTree

_RESOURCES = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")


@dataclass(frozen=True)
class KeptState:
    """Where a file may keep values from one run to the next.

    Attributes:
        has_variable_tensors: Tensors marked as variables, as in LSTM: LiteRT's ``reset_all_variables`` and
            TFLite Micro's ``Reset`` set them back.
        has_resources: Resource variables (VAR_HANDLE): in LiteRT only a new interpreter sets them back, in
            TFLite Micro ``Reset`` does.
        has_custom_operators: Custom operators, whose kernels may keep values.
    """

    has_variable_tensors: bool
    has_resources: bool
    has_custom_operators: bool

    @property
    def may_exist(self) -> bool:
        """True if the output may depend on earlier runs."""
        return self.has_variable_tensors or self.has_resources or self.has_custom_operators


def find_state(tree: ModelTree) -> KeptState:
    """Return where a decoded file may keep values between runs."""
    kinds = {operator_name(tree, op) for graph in tree.subgraphs or [] for op in graph.operators or []}
    custom = schema().BuiltinOperator.CUSTOM
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in tree.operatorCodes or []]
    return KeptState(
        any(tensor.isVariable for graph in tree.subgraphs or [] for tensor in graph.tensors or []),
        any(name in kinds for name in _RESOURCES),
        custom in codes,
    )
