"""The kernels that CMSIS-NN has for different cores; without imports, so that device profiles load fast."""

from __future__ import annotations

from typing import Literal, get_args

Kernels = Literal["c", "dsp", "mve"]  # plain C, the DSP extension, Helium
KERNELS: tuple[Kernels, ...] = get_args(Kernels)
