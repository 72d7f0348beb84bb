"""The two forms of a forest's ``.tflite`` in LiteRT: how long each takes, and the constants that choose.

    python benchmarks/forest_forms.py

Forests of 20 to 100 trees, depth 3 to 16, one sample and 16 at a time; both forms interleaved, one thread.
Fits the constants of ``trees/export.py`` to the timings, by least squares on relative errors, and counts how
often those in the file choose the faster form. Prints; writes nothing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from tflite_compress.runtimes.litert import LiteRTModel
from tflite_compress.trees.export import (
    MAX_MATRIX_DEPTH,
    Form,
    TensorNames,
    cheaper_form,
    count_operations,
    export_forest,
)
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.load_forest import load_forest
from tflite_compress.trees.quantize import feature_ranges, quantize_forest

TREES, DEPTHS, BATCHES = (20, 50, 100), (3, 5, 7, 8, 10, 13, 16), (1, 16)
ROUNDS, CALLS, FEATURES = 15, 40, 30
FORMS: tuple[Form, ...] = ("traversal", "matrix")


def forest_of(trees: int, depth: int) -> tuple[Forest, np.ndarray]:
    """A forest of full depth, int8, and samples."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6000, FEATURES)).astype(np.float32)
    y = np.sin(x[:, :10] * 2).sum(axis=1) + rng.normal(size=len(x))
    grown = RandomForestRegressor(trees, max_depth=depth, max_features=0.3, random_state=0).fit(x, y)
    return quantize_forest(load_forest(grown, trust=False)[0], feature_ranges([x]), "int8"), x


def microseconds(forest: Forest, x: np.ndarray, batch: int, forms: Sequence[Form]) -> list[float]:
    """Median time of one call of each form, interleaved."""
    ports = TensorNames("features", "value")
    models = [
        LiteRTModel(
            export_forest(forest, "f", ports, False, form, False, batch), (ports.input,), (ports.output,)
        )
        for form in forms
    ]
    times: list[list[float]] = [[] for _ in models]
    for _ in range(ROUNDS):
        for model, own in zip(models, times, strict=True):
            model.set_inputs((x[:batch],))
            start = time.perf_counter()
            for _ in range(CALLS):
                model.invoke()
            own.append((time.perf_counter() - start) / CALLS * 1e6)
    return [statistics.median(own) for own in times]


def fitted(rows: list[tuple[float, ...]], times: list[float]) -> np.ndarray:
    """Constants whose sums come close to the times, each weighed by its own size."""
    weight = 1 / np.array(times)
    found, *_ = np.linalg.lstsq(np.array(rows) * weight[:, np.newaxis], np.ones(len(times)), rcond=None)
    return found


def main() -> None:
    """Time, print, fit."""
    rows: dict[Form, list[tuple[float, ...]]] = {form: [] for form in FORMS}
    times: dict[Form, list[float]] = {form: [] for form in FORMS}
    right = both = 0
    print("| trees | depth | batch | traversal, us | matrix, us | chosen |\n|---|---|---|---|---|---|")
    for trees in TREES:
        for depth in DEPTHS:
            forest, x = forest_of(trees, depth)
            for batch in BATCHES:
                forms = FORMS if depth <= MAX_MATRIX_DEPTH else FORMS[:1]
                taken = dict(zip(forms, microseconds(forest, x, batch, forms), strict=True))
                for form, us in taken.items():
                    times[form].append(us)
                    rows[form].append(count_operations(forest, batch)[form])
                chosen, _ = cheaper_form(forest, False, batch)
                if len(taken) == 2:
                    both += 1
                    right += taken[chosen] <= 1.1 * min(taken.values())
                cells = [f"{taken[form]:.1f}" if form in taken else "" for form in FORMS]
                print(f"| {trees} | {forest.depth} | {batch} | {' | '.join(cells)} | {chosen} |", flush=True)
    print(f"chosen within 10 % of the faster: {right} of {both}")
    for form in FORMS:
        print(form, "fitted:", ", ".join(f"{value:.3g}" for value in fitted(rows[form], times[form])))


if __name__ == "__main__":
    main()
