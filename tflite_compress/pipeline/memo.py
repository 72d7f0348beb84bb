"""Results of passes, kept for other devices and fallbacks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tflite_compress.passes import Context, Model, PassConfig
from tflite_compress.scoring.reference import Outputs, Score


@dataclass
class Memo:
    """Results of passes that have run, by the chain of passes up to each.

    Several devices, and the fallbacks of a recipe, share the results of their first passes.
    """

    _models: dict[tuple[PassConfig, ...], tuple[Model, float]] = field(default_factory=dict)
    _scores: dict[tuple[PassConfig, ...], tuple[Score, Outputs]] = field(default_factory=dict)

    def run(self, chain: tuple[PassConfig, ...], model: Model, context: Context) -> tuple[Model, float]:
        """Return the model after ``chain`` and the seconds of its last pass. Run that pass if necessary.

        Args:
            chain: Passes from the first to this one.
            model: The model before the last pass.
            context: Data, teacher, seed and progress.
        """
        if chain not in self._models:
            start = time.perf_counter()
            result = chain[-1].run(model, context)
            self._models[chain] = (result, time.perf_counter() - start)
        return self._models[chain]

    def score(
        self, chain: tuple[PassConfig, ...], compute: Callable[[], tuple[Score, Outputs]]
    ) -> tuple[Score, Outputs]:
        """Return the score and the outputs after ``chain``. Call ``compute`` only the first time."""
        if chain not in self._scores:
            self._scores[chain] = compute()
        return self._scores[chain]
