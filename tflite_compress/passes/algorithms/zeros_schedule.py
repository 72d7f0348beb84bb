"""When TF-MOT sets how many weights to zero during a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite_compress.passes.prune import Prune


def _frequency(config: Prune, steps: int) -> int:
    """Return the batches between two updates of the masks, in a training of so many batches."""
    return min(config.frequency, max(1, steps // 10))


def _ramp_end(config: Prune, steps: int) -> int:
    """Return the batch at which the polynomial schedule ends."""
    return max(_frequency(config, steps), int(steps * config.ramp))


def steps_to_all_zeros(config: Prune, steps: int) -> int:
    """Return the number of batches after which layers have the sparsity asked for.

    Args:
        config: Settings of the pass.
        steps: Batches of the whole training.
    """
    is_constant = config.pattern == "2:4" or config.schedule == "constant"
    return _frequency(config, steps) if is_constant else _ramp_end(config, steps)


def tfmot_options(config: Prune, steps: int, share: float | None = None) -> dict[str, object]:
    """Return the arguments of TF-MOT's ``prune_low_magnitude`` for a layer.

    Args:
        config: Settings of the pass.
        steps: Batches of the whole training.
        share: Zeros that the layer has from the start, as a share of its weights; None for the schedule of
            the settings.
    """
    from tflite_compress.support.backend import tfmot

    sparsity = tfmot().sparsity.keras
    frequency = _frequency(config, steps)
    options: dict[str, object] = {}
    if config.pattern == "2:4":
        schedule = sparsity.ConstantSparsity(0.5, begin_step=0, frequency=frequency)
        return {"pruning_schedule": schedule, "sparsity_m_by_n": (2, 4)}
    if config.pattern == "block":
        options = {"block_size": tuple(config.block_size), "block_pooling_type": config.block_pooling}
    if config.schedule == "constant" or share is not None:
        always = config.sparsity if share is None else share
        schedule = sparsity.ConstantSparsity(always, begin_step=0, frequency=frequency)
    else:
        schedule = sparsity.PolynomialDecay(
            initial_sparsity=min(config.initial_sparsity, config.sparsity),
            final_sparsity=config.sparsity,
            begin_step=0,
            end_step=_ramp_end(config, steps),
            frequency=frequency,
        )
    return {"pruning_schedule": schedule, **options}
