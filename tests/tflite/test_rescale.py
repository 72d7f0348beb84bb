"""Files are scaled by powers of two: outputs stay equal bit for bit, values and sums fit the range."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tflite_compress.inspection.float16_peaks import FLOAT16_MAX, measure_peaks
from tflite_compress.runtimes.litert import predict
from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import operator_names, schema
from tflite_compress.tflite.rescale import Rescaled, rescale

NAMES = (("x",), ("y",))
HEADROOM = 4.0
Build = Callable[[Assembly, int], int]


def file_of(build: Build, width: int = 8) -> bytes:
    """Return a file with an input x and an output y of float32, shape (1, width)."""
    made = Assembly("test")
    x = made.tensor("x", (1, width), "float32")
    return made.finished({"x": x}, {"y": build(made, x)})


def dense(made: Assembly, x: int, scale: float, activation: str = "NONE", name: str = "dense") -> int:
    rng = np.random.default_rng(len(name))
    kernel = made.constant(f"{name}_kernel", (rng.normal(size=(8, 8)) * scale).astype(np.float32))
    bias = made.constant(f"{name}_bias", rng.normal(size=8).astype(np.float32))
    kind = getattr(schema().ActivationFunctionType, activation)
    options = made.options("FullyConnectedOptions", fusedActivationFunction=kind)
    return made.operator("FULLY_CONNECTED", [x, kernel, bias], name, (1, 8), "float32", options)


def plain(made: Assembly, kind: str, inputs: list[int], options: str | None = None, **values: object) -> int:
    chosen = None if options is None else made.options(options, **values)
    return made.operator(kind, inputs, f"{kind.lower()}_{len(inputs)}", (1, 8), "float32", chosen)


def overflow(made: Assembly, x: int) -> int:
    hidden = dense(made, dense(made, x, 400, "RELU", "first"), 400, "RELU", "second")
    return plain(made, "SOFTMAX", [dense(made, hidden, 1e-6, name="last")], "SoftmaxOptions", beta=1.0)


def clamped(made: Assembly, x: int) -> int:
    return dense(made, dense(made, x, 1e5, "RELU6", "first"), 1, name="last")


def residual(made: Assembly, x: int) -> int:
    wide = plain(made, "ADD", [x, dense(made, x, 4e5)], "AddOptions")
    small = made.constant("small", np.full(8, 1e-5, np.float32))
    return plain(made, "LOGISTIC", [plain(made, "MUL", [wide, small], "MulOptions")])


def squares(made: Assembly, x: int) -> int:
    axis, epsilon = made.constant("axis", np.array([1], np.int32)), np.array([1e-3], np.float32)
    rows = dense(made, x, 900)
    keep = made.options("ReducerOptions", keepDims=True)
    mean = made.operator("MEAN", [rows, axis], "mean", (1, 1), "float32", keep)
    spread = plain(made, "SQUARED_DIFFERENCE", [rows, mean])
    variance = made.operator("MEAN", [spread, axis], "variance", (1, 1), "float32", keep)
    options = made.options("AddOptions")
    shifted = made.operator(
        "ADD", [variance, made.constant("epsilon", epsilon)], "sum", (1, 1), "float32", options
    )
    inverse = made.operator("RSQRT", [shifted], "inverse", (1, 1), "float32")
    centred = plain(made, "SUB", [rows, mean], "SubOptions")
    return plain(made, "MUL", [centred, inverse], "MulOptions")


def logits(made: Assembly, x: int) -> int:
    return plain(made, "SOFTMAX", [dense(made, x, 1e5)], "SoftmaxOptions", beta=1.0)


def rescaled(content: bytes) -> tuple[Rescaled, np.ndarray]:
    inputs = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
    peaks = measure_peaks(content, (inputs,), NAMES[0])
    assert max(*peaks.values.values(), *peaks.sums.values()) > FLOAT16_MAX
    return rescale(content, peaks.values, peaks.sums, FLOAT16_MAX, HEADROOM), inputs


@pytest.mark.parametrize(
    ("build", "multiplications"), [(overflow, 0), (clamped, 1), (residual, 1), (squares, 0), (logits, 1)]
)
def test_outputs_are_equal_and_everything_fits(build: Build, multiplications: int) -> None:
    content = file_of(build)
    made, inputs = rescaled(content)
    before, after = (predict(f, (inputs,), *NAMES, workers=1)[0] for f in (content, made.content))
    np.testing.assert_array_equal(after, before)
    assert (made.multiplications, made.unrepaired) == (multiplications, ())
    peaks = measure_peaks(made.content, (inputs,), NAMES[0])
    assert max(peaks.sums.values()) <= FLOAT16_MAX / HEADROOM
    within = FLOAT16_MAX if build is logits else FLOAT16_MAX / HEADROOM
    assert build is logits or max(peaks.values.values()) <= within


def test_a_softmax_of_large_logits_subtracts_their_maximum_first() -> None:
    made, inputs = rescaled(file_of(logits))
    names = operator_names(made.content)
    assert names == ["FULLY_CONNECTED", "REDUCE_MAX", "SUB", "MUL", "SOFTMAX"]
    with np.errstate(over="ignore"):
        halves = predict(made.content, (inputs.astype(np.float16).astype(np.float32),), *NAMES, workers=1)[0]
    assert np.isfinite(halves).all()


def test_an_output_beyond_the_range_is_named() -> None:
    content = file_of(lambda made, x: dense(made, x, 1e6))
    made, inputs = rescaled(content)
    (beyond,) = made.unrepaired
    assert beyond == 3  # the output's index in the given file
    before, after = (predict(f, (inputs,), *NAMES, workers=1)[0] for f in (content, made.content))
    np.testing.assert_array_equal(after, before)


def test_a_file_that_fits_stays_as_it_is() -> None:
    content = file_of(lambda made, x: dense(made, x, 1))
    peaks = measure_peaks(content, (np.ones((1, 8), np.float32),), NAMES[0])
    assert rescale(content, peaks.values, peaks.sums, FLOAT16_MAX, HEADROOM).content == content


def test_sums_are_those_of_absolute_terms() -> None:
    made = Assembly("test")
    x = made.tensor("x", (1, 2), "float32")
    kernel = made.constant("kernel", np.array([[3.0, -3.0]], np.float32))
    bias = made.constant("bias", np.array([-1.0], np.float32))
    y = made.operator(
        "FULLY_CONNECTED", [x, kernel, bias], "y", (1, 1), "float32", made.options("FullyConnectedOptions")
    )
    peaks = measure_peaks(made.finished({"x": x}, {"y": y}), (np.array([[5.0, 5.0]], np.float32),), ("x",))
    assert (peaks.values[y], peaks.sums[y], peaks.of(y), peaks.samples) == (1.0, 31.0, 31.0, 1)
