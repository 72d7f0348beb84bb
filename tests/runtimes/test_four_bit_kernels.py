"""The operators of profiles with 4-bit weights are those that the runtimes compute right values from."""

from __future__ import annotations

import pytest
from four_bit_kernels import FORMS, Form, litert, runs, tflm

from tflite_compress.conversion import FOUR_BIT
from tflite_compress.profiles.devices import all_devices

ASK = {"litert": litert(True), "tflm": tflm}


@pytest.mark.parametrize("runtime", ASK)
def test_profiles_name_what_the_runtime_computes(runtime: str) -> None:
    forms = [f for f in FORMS if (f.scales, f.activations) == ("channel", "int8")]
    able = tuple(f.operator for f in forms if runs(f, ASK[runtime]))
    devices = [d for d in all_devices() if d.runtime.name == runtime and d.runtime.four_bit]
    assert len(devices) >= 5 and {d.runtime.four_bit for d in devices} == {able}
    assert runtime != "litert" or able == FOUR_BIT


@pytest.mark.parametrize("operator", ["CONV_2D", "FULLY_CONNECTED"])
@pytest.mark.parametrize("runtime", ASK)
def test_no_runtime_computes_right_integers_from_scales_of_blocks(runtime: str, operator: str) -> None:
    assert runs(Form(operator, "block", "int8"), ASK[runtime]) is not True
