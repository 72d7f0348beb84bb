"""Conversion to ``.tflite``, with several calibration methods and a precision per layer."""

from __future__ import annotations

from typing import Literal

Method = Literal["minmax", "percentile", "mse", "entropy"]
METHODS: tuple[Method, ...] = ("minmax", "percentile", "mse", "entropy")
LayerType = Literal["int4", "int8", "int16x8", "float32"]
LAYER_TYPES: tuple[LayerType, ...] = ("int4", "int8", "int16x8", "float32")
WeightRounding = Literal["nearest", "octav", "gptq", "gptq_octav"]  # see conversion.weight_rounding
# Operators that LiteRT computes from 4-bit weights and int8 activations: see benchmarks/four_bit_kernels.py
FOUR_BIT = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
