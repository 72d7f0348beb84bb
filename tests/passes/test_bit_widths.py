"""The integer program finds the layers with fewer bits that cost least."""

from __future__ import annotations

import itertools

import numpy as np

from tflite_compress.passes.algorithms.bit_widths import choose_layers


def test_the_choice_is_the_best_of_all_choices() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        names = [f"layer_{i}" for i in range(8)]
        noise = dict(zip(names, rng.lognormal(0, 3, 8), strict=True))
        saved = dict(zip(names, map(int, rng.integers(100, 9000, 8)), strict=True))
        needed = sum(saved.values()) // 2
        subsets = [c for r in range(9) for c in itertools.combinations(names, r)]
        enough = [c for c in subsets if sum(saved[n] for n in c) >= needed]
        best = min(sum(noise[n] for n in c) for c in enough)
        chosen = choose_layers(noise, saved, needed)
        assert chosen is not None and sum(saved[n] for n in chosen) >= needed
        assert np.isclose(sum(noise[n] for n in chosen), best)


def test_too_small_a_size_and_none() -> None:
    assert choose_layers({"a": 1.0}, {"a": 10}, 11) is None
    assert choose_layers({"a": 1.0}, {"a": 10}, 0) == []
    assert choose_layers({}, {}, 1) is None and choose_layers({}, {}, 0) == []
