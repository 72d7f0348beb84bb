"""How passes share the time budget of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tflite_compress.passes import Context, PassConfig, Stage

LONG = (Stage.TRAIN, Stage.REPAIR, Stage.QUANTIZE, Stage.QAT)
FOR_PASSES = 0.8  # of the time budget; the rest is for conversion, evaluation and measurements


def with_share(context: Context, passes: Sequence[PassConfig], index: int) -> Context:
    """Return the context with a pass's share of the time budget.

    Passes that train or choose share the time equally; a part is kept for the conversion and measurements.

    Args:
        context: The context of the run.
        passes: The passes in order.
        index: The place of the pass that runs next.
    """
    left = sum(p.stage in LONG for p in passes[index:])
    if passes[index].stage not in LONG:
        return context
    return replace(context, budget=context.budget.share(FOR_PASSES / left))
