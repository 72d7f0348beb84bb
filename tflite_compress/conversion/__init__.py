"""Quantization finer than the converter's: activation ranges by several methods, a type for each layer."""

from __future__ import annotations

from typing import Literal

Method = Literal["minmax", "percentile", "mse", "kl"]
METHODS: tuple[Method, ...] = ("minmax", "percentile", "mse", "kl")
LayerType = Literal["int4", "int8", "int16x8", "float32"]
LAYER_TYPES: tuple[LayerType, ...] = ("int4", "int8", "int16x8", "float32")
