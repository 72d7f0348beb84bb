"""Describe the values a setting accepts, for help and reference pages."""

from __future__ import annotations

import msgspec
import msgspec.inspect


def type_name(annotation: object) -> str:
    """Return the accepted values in words: ``one of a, b``, ``number from 0 to 1``, ``list of text``."""
    return _type_words(msgspec.inspect.type_info(annotation))


def _type_words(info: msgspec.inspect.Type) -> str:
    kinds = msgspec.inspect
    if isinstance(info, kinds.Metadata):
        return _type_words(info.type)
    if isinstance(info, kinds.UnionType):
        choices = [t for t in info.types if not isinstance(t, kinds.NoneType)]
        literals = [str(v) for t in choices if isinstance(t, kinds.LiteralType) for v in t.values]
        return _one_of(literals) if literals else _type_words(choices[0])
    if isinstance(info, kinds.LiteralType):
        return _one_of([str(v) for v in info.values])
    if isinstance(info, kinds.FloatType | kinds.IntType):
        word = "number" if isinstance(info, kinds.FloatType) else "whole number"
        bounds = (("from", info.ge), ("above", info.gt), ("to", info.le), ("below", info.lt))
        return word + "".join(f" {how} {bound:,}" for how, bound in bounds if bound is not None)
    if isinstance(info, kinds.VarTupleType):
        return f"list of {_type_words(info.item_type)}"
    if isinstance(info, kinds.TupleType):
        return f"list of {len(info.item_types)}: {_type_words(info.item_types[0])}"
    words = ((kinds.BoolType, "true or false"), (kinds.StrType, "text"))
    return next((word for kind, word in words if isinstance(info, kind)), "table")


def _one_of(values: list[str]) -> str:
    return "one of " + ", ".join(values)
