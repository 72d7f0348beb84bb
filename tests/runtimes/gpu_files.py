"""Small files for the GPU accelerator, written without a converter."""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import pack, unpack

WIDTH = 4


def add(assembly: Assembly, value: int, name: str, shape: tuple[int, ...] = (1, WIDTH)) -> int:
    """Add a tensor to itself."""
    return assembly.operator("ADD", [value, value], name, shape, "float32", assembly.options("AddOptions"))


def gathered() -> bytes:
    """Two additions, GATHER_ND, which the GPU lacks, and one addition."""
    assembly = Assembly("gathered")
    x = assembly.tensor("x", (1, WIDTH), "float32")
    second = add(assembly, add(assembly, x, "net/first/Add"), "net/second/Add")
    place = assembly.constant("place", np.zeros((1, 1), np.int32))
    found = assembly.operator("GATHER_ND", [second, place], "net/pick/GatherNd", (1, WIDTH), "float32")
    return assembly.finished({"x": x}, {"y": add(assembly, found, "net/last/Add")})


def of_two_ranks() -> bytes:
    """A multiplication with 4 dimensions, which the GPU takes, and one with 5, which it refuses."""
    assembly = Assembly("ranks")
    x = assembly.tensor("x", (1, 2, 2, WIDTH), "float32")
    z = assembly.tensor("z", (1, 1, 2, 2, WIDTH), "float32")
    options = assembly.options("MulOptions")
    four = assembly.operator("MUL", [x, x], "net/four/Mul", (1, 2, 2, WIDTH), "float32", options)
    five = assembly.operator("MUL", [z, z], "net/five/Mul", (1, 1, 2, 2, WIDTH), "float32", options)
    return assembly.finished({"x": x, "z": z}, {"y": four, "w": five})


def with_variable() -> bytes:
    """A variable between two additions: operators with side effects keep their order."""
    assembly = Assembly("variable")
    x = assembly.tensor("x", (1, WIDTH), "float32")
    handle = assembly.operator("VAR_HANDLE", [], "handle", (), "int32", assembly.options("VarHandleOptions"))
    first = add(assembly, x, "first")
    assembly.operator("ASSIGN_VARIABLE", [handle, first], "nothing", (), "int32")
    read = assembly.operator("READ_VARIABLE", [handle], "read", (1, WIDTH), "float32")
    tree = unpack(assembly.finished({"x": x}, {"y": add(assembly, read, "last")}))
    tree.subgraphs[0].operators[2].outputs = []
    return pack(tree)
