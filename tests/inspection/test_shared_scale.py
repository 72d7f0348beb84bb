from __future__ import annotations

import pytest

from tflite_compress.inspection.layer_errors import Layer
from tflite_compress.inspection.shared_scale import find_lost_parts, is_lost, steps_of


def layer(name: str, high: float, *inputs: str, operator: str = "CONV_2D") -> Layer:
    figures = dict.fromkeys(("snr_db", "cosine", "own_snr_db", "added_noise", "clipped", "low"), 0.0)
    return Layer(
        name=name,
        operator=operator,
        high=high,
        range_low=0.0,
        range_high=high,
        weights_snr_db=None,
        weights_cosine=None,
        per_channel=False,
        inputs=inputs,
        channel_db=0.0,
        outlier_channels=(),
        weight_spread=1.0,
        **figures,
    )


def test_a_part_is_lost_with_under_16_steps() -> None:
    assert steps_of((0, 1), (0, 512)) == pytest.approx(255 / 512)
    assert is_lost((0, 1), (0, 64)) and not is_lost((0, 5), (0, 64))
    assert not is_lost((0, 0), (0, 0))
    assert not is_lost((0.999, 1), (0.999, 1))  # a scale of its own, which holds 0, is no better


def test_lost_parts_are_named_with_what_to_do() -> None:
    parts = [layer("boxes", 512), layer("scores", 1), layer("sizes", 300)]
    joined = layer("all", 512, "boxes", "scores", "sizes", operator="CONCATENATION")
    (found,) = find_lost_parts([*parts, joined])
    assert (found.concatenation, found.part, found.is_output) == ("all", "scores", True)
    assert "values of scores, 0 to 1, take 0.5 of 255 steps" in found.text
    assert "--recipe=int8" in found.do
    (inner,) = find_lost_parts([*parts, joined, layer("next", 1, "all")])
    assert not inner.is_output and "--precision=int16x8" in inner.do


def test_layers_that_can_move_to_the_parts_may_follow() -> None:
    joined = layer("all", 512, "boxes", "scores", operator="CONCATENATION")
    parts = [layer("boxes", 512), layer("scores", 1), joined]
    turned = layer("turned", 512, "all", operator="TRANSPOSE")
    assert find_lost_parts([*parts, turned])[0].is_output
    assert not find_lost_parts([*parts, turned, layer("next", 1, "turned")])[0].is_output
