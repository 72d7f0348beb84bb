"""Models that keep a state between runs: from a fresh state and over a sequence, on every runtime."""

from __future__ import annotations

import numpy as np
import pytest

from tests.runtimes.stateful import WIDTH, accumulator, delay
from tests.timing.models import dense
from tflite_compress.conversion.observe import observe
from tflite_compress.runtimes.compare import compare
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.litert import predict
from tflite_compress.runtimes.run_result import Runtime
from tflite_compress.runtimes.tflm import TFLMModel
from tflite_compress.runtimes.tflm_runtime import micro_runtime
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.tflite.state import KeptState, find_state

FRAMES = np.arange(1, 5, dtype=np.float32).reshape(4, 1, 1) * np.ones((1, 1, WIDTH), np.float32)
SUMS = np.cumsum(FRAMES, axis=0)
DELAYED = np.array([4, 12, 24, 36], np.float32).reshape(4, 1, 1)  # WIDTH times the last three frames
MODELS = {"resource": (accumulator(), FRAMES, SUMS), "variable": (delay(), 4 * FRAMES[..., :1], DELAYED)}
RUNTIMES: dict[str, Runtime] = {
    "litert": host_runtime(seconds=0),
    "litert-reference": host_runtime(reference=True, seconds=0),
    "tflm": micro_runtime,
}


def test_where_a_file_keeps_state() -> None:
    assert find_state(unpack(accumulator())) == KeptState(False, True, False)
    assert find_state(unpack(delay())) == KeptState(True, False, False)
    assert not find_state(unpack(dense(4))).may_exist


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("name", RUNTIMES)
def test_each_runtime_runs_both_ways(kind: str, name: str) -> None:
    content, fresh, sequence = MODELS[kind]
    result = RUNTIMES[name](content, (FRAMES,))
    assert result.outputs is not None and result.sequence is not None
    assert np.allclose(result.outputs[0], fresh) and np.allclose(result.sequence[0], sequence)


def test_without_state_there_is_no_sequence() -> None:
    assert RUNTIMES["litert"](dense(WIDTH), (FRAMES,)).sequence is None


@pytest.mark.parametrize("kind", MODELS)
def test_comparisons_cover_both(kind: str) -> None:
    for comparison in compare(MODELS[kind][0], (FRAMES,), RUNTIMES)[1:]:
        assert comparison.is_same is True
        assert [d.state for d in comparison.differences] == ["fresh", "sequence"]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", MODELS)
def test_scores_come_from_fresh_states(kind: str, workers: int) -> None:
    content, fresh, _ = MODELS[kind]
    assert np.allclose(predict(content, (FRAMES[:, 0],), ("x",), ("y",), workers)[0], fresh[:, 0])
    seen = observe(content, (FRAMES[:, 0],), ("x",), histograms=False)["total" if kind == "resource" else "y"]
    assert (seen.low, seen.high) == (fresh.min(), fresh.max())
    micro = TFLMModel(content, ("x",), ("y",))
    assert all(np.allclose(micro.run((x,))[0], y) for x, y in zip(FRAMES, fresh, strict=True))
