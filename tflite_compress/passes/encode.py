"""Encoding weights for TFLite Micro's DECODE operator; kept only if smaller and equal bit for bit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from tflite_compress.passes.base import Context, ConversionPass, FilePass, Stage, register
from tflite_compress.passes.setting_bounds import Count, Share
from tflite_compress.passes.values import ConvertedModel, Encoding, EncodingChoice
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    import numpy as np

    from tflite_compress.decode.ancillary import Encoded
    from tflite_compress.decode.choose import Weights
    from tflite_compress.profiles.devices import Device

Ports = tuple[tuple[str, ...], tuple[str, ...]]
Arrays = tuple["np.ndarray", ...]
SECONDS = 0.3


@register
class Encode(FilePass, frozen=True, tag="encode"):
    """Store weights encoded; the device decodes each layer's just before it runs.

    Attributes:
        encode: ``lut``, ``prune`` or ``huffman`` for all tensors it makes smaller; ``auto`` for the best of
            each tensor, where bytes * time^time_weight * RAM^ram_weight is below 1, each as a multiple of
            that without encoding; ``none`` for none.
        time_weight: What the time of decoding weighs in ``auto``. 0.25 accepts twice the time for 16 % fewer
            bytes. Times are estimated from MACs, so that a layer that uses each weight once is the first to
            stay plain.
        ram_weight: What the arena weighs in ``auto``. 0.1 accepts twice the arena for 7 % fewer bytes.
        min_saving: Share of the file that ``auto`` must save.
        arena_limit_bytes: Largest tensor arena the result may need, as decoded weights live there; 0 sets no
            limit, and is half the device's RAM where a device is known.
        check_samples: Samples on which the encoded file must equal the plain one.
    """

    stage: ClassVar = Stage.ENCODE
    preserves_outputs: ClassVar = True

    encode: Literal["auto", "none", "lut", "prune", "huffman"] = "auto"
    time_weight: Annotated[float, Meta(ge=0, le=10)] = 0.25
    ram_weight: Annotated[float, Meta(ge=0, le=10)] = 0.1
    min_saving: Share = 0.1
    arena_limit_bytes: Annotated[int, Meta(ge=0, le=1 << 40)] = 0
    check_samples: Count = 100

    def summary(self) -> str | None:
        """Return the encoding in words."""
        if self.encode == "none":
            return None
        return "encoded" if self.encode == "auto" else f"{self.encode}-encoded"

    @property
    def allows_repairs(self) -> bool:
        """True where nothing is encoded."""
        return self.encode == "none"

    def unsupported(self, device: Device) -> Note | None:
        """Return why the device cannot run encoded weights."""
        if self.encode == "none" or device.runtime.decodes_weights:
            return None
        return Note(
            "not-encoded", f"weights are not encoded: {device.runtime.name} has no operator that decodes them"
        )

    def resolve(self, conversion: ConversionPass, device: Device) -> Encode | None:
        """Fill in the arena limit: half of the device's RAM."""
        if self.encode == "none" or not device.runtime.decodes_weights:
            return None
        limit = self.arena_limit_bytes or device.memory.ram_bytes // 2
        return msgspec.structs.replace(self, arena_limit_bytes=limit)

    def apply(self, model: ConvertedModel, context: Context) -> ConvertedModel:
        """Encode a converted model's weights.

        Args:
            model: A converted model.
            context: Gives the samples both files are compared on.

        Returns:
            The model with the encoded file, the plain one beside it; or the model as it was with a note why.

        Raises:
            ConversionError: The model is not converted yet.
        """
        from tflite_compress.decode.choose import choose_encodings
        from tflite_compress.decode.insert import encodable
        from tflite_compress.runtimes.arena import LARGEST_ARENA
        from tflite_compress.runtimes.tflm import find_minimal_arena

        if self.encode == "none":
            return model
        with context.progress.step("encoding weights"):
            try:
                arena = find_minimal_arena(model.flatbuffer)
            except ConversionError as error:
                return model.noting(Note("not-encoded", f"weights are not encoded: {error.message}"))
            tensors = encodable(model.flatbuffer)
            chosen = choose_encodings(tensors, self.encode)
            limit = max(arena, self.arena_limit_bytes) if self.arena_limit_bytes else LARGEST_ARENA
            worth = _worth(self, chosen, tensors, model.flatbuffer, arena)
            found = _largest_within(model.flatbuffer, worth or chosen, tensors, limit)
        if found is not None and len(found.content) < len(model.flatbuffer):
            not_worth = len(chosen) - len(worth) if worth else None
            return self._decided(model, context, found, arena, not_worth)
        if chosen and found is None:
            return model.noting(
                Note("not-encoded", "weights are not encoded: decoded they would not fit into the arena")
            )
        return model.noting(
            Note("not-encoded", "weights are not encoded: no encoding would make the file smaller")
        )

    def _decided(
        self, model: ConvertedModel, context: Context, found: _Candidate, arena: int, not_worth: int | None
    ) -> ConvertedModel:
        """Return the encoded model, if the rule of ``auto`` accepts it, and record both choices.

        Args:
            model: The model without encoding.
            context: Gives the samples both files are compared on.
            found: The encoded file.
            arena: Smallest arena of the file without encoding, in bytes.
            not_worth: Number of tensors that the rule leaves plain; None if it leaves all plain.
        """
        pool = context.reference.splits.evaluate.inputs
        inputs, ports = _repeated(pool, self.check_samples), model.network.tensor_names
        is_small = len(found.content) <= (1 - self.min_saving) * len(model.flatbuffer)
        if not_worth is None or (self.encode == "auto" and not is_small):
            encoding = _figures(model.flatbuffer, found, arena, inputs, ports)
            choice = EncodingChoice(encoding, is_encoded=False)
            return model.with_fact(choice).noting(_why_not(encoding, self))
        return _verified(model, context, (inputs, ports), found, arena, not_worth)


def _worth(
    config: Encode, chosen: dict[int, Encoded], tensors: dict[int, Weights], content: bytes, arena: int
) -> dict[int, Encoded]:
    """Return the encodings that pay by the rule of ``auto``; all if they were asked for."""
    from tflite_compress.decode.weigh import PlainFile, Rule, worth_encoding
    from tflite_compress.tflite.macs import count_work

    if config.encode != "auto":
        return chosen
    plain = PlainFile(len(content), arena, count_work(content).macs)
    rule = Rule(config.time_weight, config.ram_weight, config.min_saving)
    return worth_encoding(chosen, tensors, plain, rule)


@dataclass(frozen=True)
class _Candidate:
    """An encoded file.

    Attributes:
        content: The file.
        encodings: Encoded tensors by index.
        arena: Minimum tensor arena in bytes.
        left_plain: Number of tensors not encoded because the arena would be too large.
    """

    content: bytes
    encodings: dict[int, Encoded]
    arena: int
    left_plain: int


def _figures(plain: bytes, found: _Candidate, arena: int, inputs: Arrays, ports: Ports) -> Encoding:
    """Return the figures of a file with and without encoding."""
    return Encoding(
        plain=plain,
        kinds=dict(Counter(e.kind for e in found.encodings.values())),
        tables=len({e.ancillary for e in found.encodings.values()}),
        encoded_bytes=len(found.content),
        plain_arena_bytes=arena,
        encoded_arena_bytes=found.arena,
        time_ratio=_time_ratio(plain, found.content, inputs, ports),
        equal_on_samples=len(inputs[0]),
    )


def _why_not(found: Encoding, config: Encode) -> Note:
    """Return a note on the bytes saved, the time and the arena of a rejected encoding."""
    saved = 1 - found.encoded_bytes / len(found.plain)
    arena = found.encoded_arena_bytes / found.plain_arena_bytes
    text = (
        f"weights are not encoded: the file would be {saved:.1%} smaller, for {found.time_ratio:.1f}x the "
        f"time and {arena:.1f}x the arena on TFLite Micro; a lower "
        f"--time-weight={config.time_weight:g} or --min-saving={config.min_saving:g} accepts more time or "
        "fewer bytes, and --encode=lut, prune or huffman encodes all weights that it makes smaller"
    )
    return Note("not-encoded", text)


def _largest_within(
    plain: bytes, chosen: dict[int, Encoded], tensors: dict[int, Weights], arena_limit: int
) -> _Candidate | None:
    """Return the encoded file that runs within the arena limit, or None if there is none.

    The largest tensors are left plain, one after the other, until the file runs.
    """
    from tflite_compress.decode.insert import with_decode
    from tflite_compress.runtimes.tflm import find_minimal_arena

    left = dict(sorted(chosen.items(), key=lambda item: tensors[item[0]].values.nbytes))
    while left:
        content = with_decode(plain, left)
        arena = find_minimal_arena(content)
        if arena <= arena_limit:
            return _Candidate(content, left, arena, len(chosen) - len(left))
        left.popitem()
    return None


def _verified(
    model: ConvertedModel,
    context: Context,
    data: tuple[Arrays, Ports],
    found: _Candidate,
    arena: int,
    not_worth: int,
) -> ConvertedModel:
    """Return the encoded model if its outputs equal those of the plain model on every sample."""
    from tflite_compress.runtimes.tflm import has_same_outputs

    with context.progress.step("comparing encoded and plain weights on TFLite Micro"):
        if not has_same_outputs(model.flatbuffer, found.content, *data):
            return model.noting(
                Note("not-encoded", "weights are not encoded: TFLite Micro's outputs would change")
            )
        encoding = _figures(model.flatbuffer, found, arena, *data)
    needs = (
        "encoded weights need TFLite Micro's DECODE operator (late 2025 "
        "or later), which a vendor's copy may lack; "
        "the plain file is next to it"
    )
    notes = [Note("needs-decode-operator", needs, "warning")]
    if found.left_plain:
        text = f"{found.left_plain} tensors are not encoded: decoded they would not fit into the arena"
        notes.append(Note("partly-encoded", text))
    if not_worth:
        text = (
            f"{not_worth} tensors are not encoded: decoding them takes too much time or RAM for their bytes"
        )
        notes.append(Note("encoding-not-worth", text))
    encoded = replace(model, flatbuffer=found.content).with_fact(encoding)
    return encoded.with_fact(EncodingChoice(encoding, is_encoded=True)).noting(*notes)


def _repeated(pool: Arrays, count: int) -> Arrays:
    """Return ``count`` samples. If the pool has fewer, noisy copies of its samples are added."""
    import numpy as np

    have = len(pool[0])
    if have >= count:
        return tuple(x[:count] for x in pool)
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, have, count - have)

    def noisy(x: np.ndarray) -> np.ndarray:
        more = x[chosen]
        if x.dtype.kind == "f":
            more = more + rng.normal(0, 0.05 * (float(x.std()) + 1e-6), more.shape).astype(x.dtype)
        return np.concatenate([x, more])

    return tuple(noisy(x) for x in pool)


def _time_ratio(plain: bytes, encoded: bytes, inputs: tuple[np.ndarray, ...], ports: Ports) -> float:
    """Return the time of one inference with encoded weights divided by the time with plain weights."""
    from tflite_compress.runtimes.tflm import TFLMModel
    from tflite_compress.timing.paired import measure_alternately

    models = [TFLMModel(content, *ports) for content in (plain, encoded)]
    for model in models:
        model.set_inputs(tuple(x[:1] for x in inputs))
    before, after = measure_alternately(models, SECONDS)
    return after.median_ms / before.median_ms
