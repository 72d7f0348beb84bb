"""Channel pruning: remove whole channels, which reduces the computation of dense kernels.

The saliency of a group of channels is a first-order Taylor expansion of the loss (Molchanov et al.,
arXiv:1906.10771). Channels are removed in rounds. The network is fine-tuned by distillation after each round,
before saliency is measured again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from tflite_compress.passes.base import Context, ConversionPass, Stage, editable_network, register
from tflite_compress.passes.layer_patterns import layer_patterns
from tflite_compress.passes.setting_bounds import Count, Ratio, Whole
from tflite_compress.passes.training import Training, TrainingPass
from tflite_compress.passes.values import ChannelWidths, FloatModel
from tflite_compress.profiles.devices import Precision
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.channels.cost import Quantity
    from tflite_compress.channels.families import Wanted
    from tflite_compress.models.keras_types import KerasModel
    from tflite_compress.passes.algorithms.finetune import Schedule
    from tflite_compress.passes.algorithms.harm import HeldOut
    from tflite_compress.passes.algorithms.traced_channels import Traced
    from tflite_compress.passes.cost_curve import CostCurve
    from tflite_compress.profiles.devices import Device

FOR_RECOVERY = 0.4  # of the time budget; the rest is for the last fine-tuning
RECOVERY_STEPS = 100
AUGMENTS_FROM = 15  # epochs: fewer than elsewhere, because networks with fewer channels overfit early


@register
class PruneChannels(TrainingPass, frozen=True, tag="prune_channels"):
    """Remove whole channels until the targets are met. A target of 1 sets none.

    Attributes:
        target_macs: Maximum MACs, as a share of the original MACs.
        target_size: Maximum bytes of weights after conversion, as a share of the original bytes.
        target_latency_ratio: Maximum latency measured on this machine, as a share of the original latency.
        keep: Share of channels that a layer keeps, each as ``REGEX=SHARE``. Layers whose channels must be
            removed together keep the smallest of their shares. More channels are removed if the targets
            require it.
        criterion: How channels are ranked: ``taylor`` (on data), ``l1``, ``l2`` or ``bn_gamma``.
        samples: Number of training samples for the Taylor criterion.
        reconstruct: Solve for the layers that read removed channels before each fine-tuning, as
            ``oneshot_channels`` does, if that brings outputs nearer to the original's on held-out samples.
        rounds: Number of rounds. The network is fine-tuned after each.
        multiple: Layers keep a multiple of this many channels. 0 uses the preferred multiple of the device.
        exclude: Regular expressions. Layers whose name matches one keep all their channels.
        recovery_steps: Batches of fine-tuning between rounds.
        training: Fine-tuning after the last round. If ``epochs`` is given without ``min_steps``, no round
            trains longer than so many epochs, unless ``recovery_steps`` is given.
        precision: Precision for which bytes and latency are computed. ``auto`` takes it from the recipe.
    """

    stage: ClassVar = Stage.TRAIN
    may_skip_training: ClassVar = True
    usual_training: ClassVar = Training(
        epochs=5, min_steps=600, batch_size=128, learning_rate=0.002, distill=0.7
    )
    safer_values: ClassVar = {"target_macs": max, "target_size": max, "target_latency_ratio": max}

    target_macs: Ratio = 1.0
    target_size: Ratio = 1.0
    target_latency_ratio: Ratio = 1.0
    keep: tuple[str, ...] = ()
    criterion: Literal["taylor", "l1", "l2", "bn_gamma"] = "taylor"
    samples: Count = 2048
    reconstruct: bool = True
    rounds: Count = 3
    multiple: Whole = 0
    exclude: tuple[str, ...] = ()
    recovery_steps: Whole = RECOVERY_STEPS
    precision: Literal["auto"] | Precision = "auto"

    def summary(self) -> str | None:
        """Return the targets in words, for example ``50% of the MACs``."""
        targets = {"MACs": self.target_macs, "bytes": self.target_size, "latency": self.target_latency_ratio}
        parts = [f"{share:.0%} of the {what}" for what, share in targets.items() if share < 1]
        parts += [f"fewer channels in {len(self.keep)} layers"] if self.keep else []
        return " + ".join(parts) or None

    def resolve(self, conversion: ConversionPass, device: Device) -> PruneChannels:
        """Fill in the device's channel multiple and the precision of the conversion."""
        multiple = self.multiple or device.precisions.channel_multiple
        precision = conversion.precision if self.precision == "auto" else self.precision
        return msgspec.structs.replace(self, multiple=multiple, precision=precision)

    def scan_costs(self, model: FloatModel, context: Context) -> CostCurve | None:
        """Return the accuracy drop by the only target, MACs or size; None for several targets and others."""
        from tflite_compress.passes.algorithms.level_scan import scan_channels

        targets = {"target_macs": self.target_macs, "target_size": self.target_size}
        asked = [name for name, share in targets.items() if share < 1]
        if len(asked) != 1 or self.keep or self.target_latency_ratio < 1 or not model.network.editable:
            return None
        return scan_channels(model.network.handle, self, asked[0], self._find_exclusions(), context)

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return a model with fewer channels.

        Args:
            model: A model with an editable network; unchanged.
            context: Data, teacher, seed and progress.

        Raises:
            ModelError: The network cannot be edited, or all of its channels must stay.
            ConfigError: A regular expression is invalid.
        """
        from tflite_compress.models.copying import copied
        from tflite_compress.models.network import keras_network
        from tflite_compress.passes.algorithms.traced_channels import notes_on, traced, widths_of
        from tflite_compress.support.backend import seed_everything

        network = editable_network(model, "prune_channels")
        stays = self._find_exclusions()
        seed_everything(context.seed)
        original = copied(network.handle)
        original.trainable = True
        first = traced(original, context, stays, self.precision)
        targets = _targets(self, original, first, context)
        handle, notes = _prune_in_rounds(self, original, first, targets, context, stays)
        result = replace(model, network=keras_network(handle, network.name, True))
        widths = widths_of(network.handle, handle)
        after = traced(handle, context, stays, self.precision)
        both = ChannelWidths({**model.fact(ChannelWidths).by_layer, **widths})
        return result.with_fact(both).noting(*notes_on(first, after, targets), *notes)

    def _find_exclusions(self) -> Callable[[str], bool]:
        """Return a function that is True for the name of a layer that keeps all its channels."""
        excluded = layer_patterns(self.exclude, "exclude")
        return lambda name: any(pattern.search(name) for pattern in excluded)


def _prune_in_rounds(
    config: PruneChannels,
    handle: KerasModel,
    first: Traced,
    targets: dict[Quantity, float],
    context: Context,
    stays: Callable[[str], bool],
) -> tuple[KerasModel, tuple[Note, ...]]:
    """Return the model after the last round, and notes on its training."""
    from tflite_compress.channels.families import shares_asked
    from tflite_compress.passes.algorithms.finetune import Schedule
    from tflite_compress.passes.algorithms.harm import hold_out_if_long
    from tflite_compress.passes.algorithms.training_checkpoint import discard_checkpoint

    wanted = shares_asked(config.keep)
    held_out = hold_out_if_long(context, Schedule.of(config.training))
    keys: list[str] = []
    notes: tuple[Note, ...] = ()
    for done in range(1, config.rounds + 1):
        part = done / config.rounds
        shares = {what: share**part for what, share in targets.items()}
        kept = [(pattern, share**part) for pattern, share in wanted]
        handle = _smaller(handle, first, shares, kept, config, context, stays)
        keys.append(f"{msgspec.json.encode(config).decode()}:{done}")
        notes = _recover(config, handle, done, keys[-1], context, held_out)
    for key in keys:
        discard_checkpoint(context, key)
    return handle, notes


def _recover(
    config: PruneChannels,
    handle: KerasModel,
    done: int,
    key: str,
    context: Context,
    held_out: HeldOut | None,
) -> tuple[Note, ...]:
    """Fine-tune the network in place after a round, if that helps, and return notes."""
    from tflite_compress.passes.algorithms.best_weights import Judge
    from tflite_compress.passes.algorithms.finetune import finetune
    from tflite_compress.passes.algorithms.harm import reestimate_if_better

    last = done == config.rounds
    learned = held_out.context if held_out else context
    schedule = _schedule(config, last, learned.reference.splits.learned_samples)
    title = "fine-tuning" if last else f"recovering, round {done} of {config.rounds}"
    share = 1.0 if last else FOR_RECOVERY / (config.rounds - done)

    def train() -> tuple[Note, ...]:
        notes: tuple[Note, ...] = ()
        if schedule.epochs or schedule.min_steps:
            judge = Judge(held_out) if held_out else None
            timed = replace(learned, budget=context.budget.share(share))
            notes = finetune(handle, timed, schedule, title, key, keep_checkpoint=True, judge=judge)
        note = reestimate_if_better(handle, context, held_out)
        return (*notes, *([note] if note else []))

    return held_out.keep_better(title, handle, train) if held_out else train()


def _schedule(config: PruneChannels, last: bool, samples: int) -> Schedule:
    """Return the training after a round. Epochs without ``min_steps`` also bound the usual recovery."""
    from tflite_compress.passes.algorithms.finetune import Schedule

    full = replace(Schedule.of(config.training), augments_from=AUGMENTS_FROM)
    recovery = config.recovery_steps
    if full.epochs and not full.min_steps and recovery == RECOVERY_STEPS:
        recovery = min(recovery, full.steps_for(full.epochs, samples))
    if last:
        return full
    return replace(full, epochs=0, min_steps=recovery, learning_rate=full.learning_rate / 2)


def _targets(
    config: PruneChannels, handle: KerasModel, traced: Traced, context: Context
) -> dict[Quantity, float]:
    """Return the target of each quantity as a share of the original."""
    macs = config.target_macs
    if config.target_latency_ratio < 1:
        from tflite_compress.channels.latency_target import macs_for_latency
        from tflite_compress.passes.algorithms.channel_ranking import saliency_of

        saliency = saliency_of(handle, traced[0], config, context)
        precision: Precision = "int8" if config.precision == "auto" else config.precision
        found = macs_for_latency(
            handle,
            *traced,
            saliency,
            config.target_latency_ratio,
            max(1, config.multiple),
            precision,
            context.reference.splits.calibrate.inputs,
            context.progress,
        )
        macs = min(macs, found)
    return {"macs": macs, "bytes": config.target_size}


def _smaller(
    handle: KerasModel,
    original: Traced,
    shares: dict[Quantity, float],
    wanted: Wanted,
    config: PruneChannels,
    context: Context,
    stays: Callable[[str], bool],
) -> KerasModel:
    """Return the model after one round: without the least salient channels, BatchNorm re-estimated."""
    from tflite_compress.channels.families import families, max_kept
    from tflite_compress.channels.rebuild import without_channels
    from tflite_compress.channels.select import choose
    from tflite_compress.passes.algorithms.channel_ranking import saliency_of
    from tflite_compress.passes.algorithms.channel_reconstruction import nearer_by_reconstruction
    from tflite_compress.passes.algorithms.harm import reestimate_if_better
    from tflite_compress.passes.algorithms.traced_channels import traced

    dependencies, costs = traced(handle, context, stays, config.precision)
    saliency = saliency_of(handle, dependencies, config, context)
    everything = original[1].sizes.astype(float)
    targets = {what: share * original[1].total(what, everything) for what, share in shares.items()}
    most = max_kept(wanted, families(*original), families(dependencies, costs)) if wanted else None
    keep = choose(costs, saliency, targets, max(1, config.multiple), dependencies.count, most)
    if keep.all():
        return handle
    smaller = without_channels(handle, dependencies, keep)
    reestimate_if_better(smaller, context)
    if not config.reconstruct:
        return smaller
    return nearer_by_reconstruction(handle, smaller, keep, config.precision, context, stays)
