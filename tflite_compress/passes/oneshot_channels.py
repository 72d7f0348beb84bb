"""Channel pruning without training: channels are removed and the layers that read them are solved for.

The outputs of each layer are reconstructed from fewer input channels on unlabelled samples, with the inputs
that it gets from the changed layers before it. Channels go where the network's outputs feel it least. Then
the weights of each block of layers change together until the block's outputs are close to the original's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from tflite_compress.passes.base import Context, ConversionPass, FloatPass, Stage, editable_network, register
from tflite_compress.passes.layer_patterns import layer_patterns
from tflite_compress.passes.setting_bounds import Count, Ratio, Whole
from tflite_compress.passes.values import ChannelWidths, FloatModel
from tflite_compress.profiles.devices import Precision
from tflite_compress.support.notes import Note, named

if TYPE_CHECKING:
    from tflite_compress.channels.cost import Quantity
    from tflite_compress.profiles.devices import Device


@register
class OneshotChannels(FloatPass, frozen=True, tag="oneshot_channels"):
    """Remove whole channels without training. A target of 1 sets none.

    Attributes:
        target_macs: Maximum MACs, as a share of the original MACs.
        target_size: Maximum bytes of weights after conversion, as a share of the original bytes.
        samples: Number of training samples to reconstruct outputs on. Labels are not used.
        steps: Gradient steps per block of layers, on the same samples, that bring the block's outputs closer
            to the original's. With 0, layers are only solved for.
        multiple: Layers keep a multiple of this many channels. 0 uses the preferred multiple of the device.
        exclude: Regular expressions. Layers whose name matches one keep all their channels.
        precision: Precision for which bytes are computed. ``auto`` takes it from the recipe.
    """

    stage: ClassVar = Stage.TRAIN
    safer_values: ClassVar = {"target_macs": max, "target_size": max}
    excludes: ClassVar = ("prune_channels",)

    target_macs: Ratio = 0.8
    target_size: Ratio = 1.0
    samples: Count = 1024
    steps: Whole = 400
    multiple: Whole = 0
    exclude: tuple[str, ...] = ()
    precision: Literal["auto"] | Precision = "auto"

    @property
    def needs_training(self) -> bool:
        """False: it needs samples, but trains nothing."""
        return False

    @property
    def needs_calibration(self) -> bool:
        """True: outputs are reconstructed on samples."""
        return True

    def summary(self) -> str | None:
        """Return the targets in words, for example ``80% of the MACs without training``."""
        targets = {"MACs": self.target_macs, "bytes": self.target_size}
        parts = [f"{share:.0%} of the {what}" for what, share in targets.items() if share < 1]
        return f"{' + '.join(parts)} without training" if parts else None

    def resolve(self, conversion: ConversionPass, device: Device) -> OneshotChannels:
        """Fill in the device's channel multiple and the precision of the conversion."""
        multiple = self.multiple or device.precisions.channel_multiple
        precision = conversion.precision if self.precision == "auto" else self.precision
        return msgspec.structs.replace(self, multiple=multiple, precision=precision)

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return a model with fewer channels.

        Args:
            model: A model with an editable network; unchanged.
            context: Data, seed and progress.

        Raises:
            ModelError: The network cannot be edited, or all of its channels must stay.
            ConfigError: A regular expression is invalid.
        """
        from tflite_compress.models.network import keras_network
        from tflite_compress.passes.algorithms.channel_reconstruction import without_training
        from tflite_compress.passes.algorithms.traced_channels import notes_on, traced, widths_of

        network = editable_network(model, self.tag())
        excluded = layer_patterns(self.exclude, "exclude")

        def stays(name: str) -> bool:
            return any(p.search(name) for p in excluded)

        first = traced(network.handle, context, stays, self.precision)
        targets: dict[Quantity, float] = {"macs": self.target_macs, "bytes": self.target_size}
        found = without_training(network, targets, self, context, stays)
        widths = widths_of(network.handle, found.model)
        both = ChannelWidths({**model.fact(ChannelWidths).by_layer, **widths})
        notes = notes_on(first, traced(found.model, context, stays, self.precision), targets)
        if found.kept_by:
            text = "channels kept, because these layers read them and cannot be solved for"
            notes.append(Note("channels-not-solved", f"{text}: {named(found.kept_by)}"))
        if found.note:
            notes.append(found.note)
        smaller = keras_network(found.model, network.name, True)
        return replace(model, network=smaller).with_fact(both).noting(*notes)
