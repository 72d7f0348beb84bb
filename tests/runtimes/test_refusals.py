"""Refusals name the operator, its layer, types and shapes, and are free of the interpreters' own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.runtimes import refused
from tflite_compress.data.raw import random_data
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.litert import LiteRTModel
from tflite_compress.runtimes.refusals import clean, explain_refusal
from tflite_compress.runtimes.run_result import Runtime
from tflite_compress.runtimes.tflm import TFLMModel
from tflite_compress.runtimes.tflm_runtime import micro_runtime
from tflite_compress.support.errors import ConversionError, ModelError
from tflite_compress.tflite.tensor_specs import read_signature

RAW = re.compile(r"\.cc|was not true|failed to|See instructions|https|Hybrid|Error:|kTfLite")
LITERT, MICRO = host_runtime(seconds=0), micro_runtime


@pytest.mark.parametrize(
    ("runtime", "content", "words"),
    [
        (
            LITERT,
            refused.CONCATENATION,
            "CONCATENATION.*float32 1x2x3, float32 1x2x4 .*equal sizes.*4 and 3",
        ),
        (LITERT, refused.CUSTOM, "MyOperator, layer 'layer'.*LiteRT has no custom operator of this name"),
        (LITERT, refused.FLEX, "FlexErf.*TensorFlow's own operators"),
        (LITERT, refused.INT8_FLOOR, "FLOOR.*int8 1x4 to int8 1x4.*LiteRT has no kernel for these types"),
        (MICRO, refused.UINT8, "FULLY_CONNECTED.*uint8 1x4, uint8 4x4 .*Micro has no kernel for these types"),
        (MICRO, refused.HYBRID, "FULLY_CONNECTED.*float32 1x4, int8 4x4 .*no kernel for these types"),
        (MICRO, refused.GATHER_INT64, "GATHER.*int64 1x1 .*no kernel for int64 here; declare .* as int32"),
        (MICRO, refused.CUSTOM, "MyOperator.*TFLite Micro has no custom operator of this name"),
        (MICRO, refused.BITCAST, "BITCAST.*TFLite Micro has no operator of this name"),
        (MICRO, refused.INT8_FLOOR, "FLOOR.*TFLite Micro needs float32 here, and finds int8"),
    ],
)
def test_a_refusal_names_the_operator(runtime: Runtime, content: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        runtime(content, random_data(read_signature(content), 1).raw)
    assert "operator 0, " in caught.value.message and not RAW.search(caught.value.message)
    assert caught.value.hint is None  # no recipe can be chosen for a finished file


def test_refusals_while_compressing_suggest_a_recipe() -> None:
    names = ("x",), ("layer/out",)
    for load in (LiteRTModel, TFLMModel):
        with pytest.raises(ConversionError, match="MyOperator") as caught:
            load(refused.CUSTOM, *names)
        assert "another recipe" in str(caught.value.hint)


@pytest.mark.parametrize("command", ["benchmark", "profile", "verify"])
def test_commands_on_finished_files(run: Run, tmp_path: Path, command: str) -> None:
    path = tmp_path / "custom.tflite"
    path.write_bytes(refused.CUSTOM)
    code, out, err = run(command, path, "--json" if command == "verify" else "--seconds=0.1")
    text = " ".join((out + err).split())
    assert code in (1, 2) and "MyOperator" in text and "recipe" not in text and not RAW.search(text)


def test_unknown_words_are_kept_but_cleaned() -> None:
    text = "INFO: noise\nRuntimeError: tflite/core/subgraph.cc:12 Something odd. See instructions: https://x.y/z\n"
    assert clean(text) == "Something odd"
    assert clean("word " * 100).endswith("word ...") and len(clean("word " * 100)) < 260


def test_a_silent_runtime_lacks_the_operator_that_it_lacks() -> None:
    reason = explain_refusal(refused.BITCAST, "", "TFLite Micro")
    assert "BITCAST" in reason and "TFLite Micro has no operator of this name" in reason
    assert explain_refusal(refused.INT8_FLOOR, "", "TFLite Micro") == "it gives no reason"
