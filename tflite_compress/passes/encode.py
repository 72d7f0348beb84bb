"""Encoding weights for TFLite Micro's DECODE operator; kept only if smaller and equal bit for bit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from tflite_compress.passes.base import Context, ConversionPass, Count, FilePass, Stage, register
from tflite_compress.passes.values import ConvertedModel, Encoding
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    import numpy as np

    from tflite_compress.decode.ancillary import Encoded
    from tflite_compress.decode.choose import Weights
    from tflite_compress.profiles.devices import Device

Ports = tuple[tuple[str, ...], tuple[str, ...]]
SECONDS = 0.3
MIN_SAVING = 0.1  # of the file


@register
class Encode(FilePass, frozen=True, tag="encode"):
    """Store weights encoded; the device decodes each layer's just before it runs.

    Attributes:
        encode: ``lut``, ``prune`` or ``huffman`` for all tensors it makes smaller; ``auto`` for the best of
            each tensor, kept only if the file shrinks by at least 10 %; ``none`` for none.
        arena_limit_bytes: Largest tensor arena the result may need, as decoded weights live there; 0 sets no
            limit, and is half the device's RAM where a device is known.
        check_samples: Samples on which the encoded file must equal the plain one.
    """

    stage: ClassVar = Stage.ENCODE
    preserves_outputs: ClassVar = True

    encode: Literal["auto", "none", "lut", "prune", "huffman"] = "auto"
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
        ports = model.network.tensor_names
        with context.progress.step("encoding weights"):
            try:
                arena = find_minimal_arena(model.flatbuffer)
            except ConversionError as error:
                return model.noting(Note("not-encoded", f"weights are not encoded: {error.message}"))
            tensors = encodable(model.flatbuffer)
            chosen = choose_encodings(tensors, self.encode)
            limit = max(arena, self.arena_limit_bytes) if self.arena_limit_bytes else LARGEST_ARENA
            found = _largest_within(model.flatbuffer, chosen, tensors, limit)
        if found is not None and len(found.content) < len(model.flatbuffer):
            if self.encode == "auto" and not pays(len(model.flatbuffer), len(found.content)):
                return model.noting(_why_not(model.flatbuffer, found, context, ports, arena))
            return _verified(self, model, context, ports, found, arena)
        if chosen and found is None:
            return model.noting(
                Note("not-encoded", "weights are not encoded: decoded they would not fit into the arena")
            )
        return model.noting(
            Note("not-encoded", "weights are not encoded: no encoding would make the file smaller")
        )


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


def pays(plain_bytes: int, encoded_bytes: int) -> bool:
    """Return True if an automatically chosen encoding saves enough bytes.

    Decoding costs time in each inference and arena for the decoded weights, so the file must shrink by at
    least 10 %.
    """
    return encoded_bytes <= (1 - MIN_SAVING) * plain_bytes


def _why_not(plain: bytes, found: _Candidate, context: Context, ports: Ports, arena: int) -> Note:
    """Return a note on the bytes saved, the time and the arena of a rejected encoding."""
    inputs = tuple(x[:1] for x in context.reference.splits.evaluate.inputs)
    saved = 1 - len(found.content) / len(plain)
    ratio = _time_ratio(plain, found.content, inputs, ports)
    text = (
        f"weights are not encoded: the file would be {saved:.1%} smaller, for {ratio:.1f}x the time and "
        f"{found.arena / arena:.1f}x the arena on TFLite Micro; --encode=lut, prune or huffman encodes "
        "them all the same"
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
    config: Encode, model: ConvertedModel, context: Context, ports: Ports, found: _Candidate, arena: int
) -> ConvertedModel:
    """Return the encoded model if its outputs equal those of the plain model on every sample."""
    from tflite_compress.runtimes.tflm import has_same_outputs

    pool = context.reference.splits.evaluate.inputs
    inputs = _repeated(pool, config.check_samples)
    with context.progress.step("comparing encoded and plain weights on TFLite Micro"):
        if not has_same_outputs(model.flatbuffer, found.content, inputs, ports):
            return model.noting(
                Note("not-encoded", "weights are not encoded: TFLite Micro's outputs would change")
            )
        ratio = _time_ratio(model.flatbuffer, found.content, inputs, ports)
    encoding = Encoding(
        plain=model.flatbuffer,
        kinds=dict(Counter(e.kind for e in found.encodings.values())),
        tables=len({e.ancillary for e in found.encodings.values()}),
        encoded_bytes=len(found.content),
        plain_arena_bytes=arena,
        encoded_arena_bytes=found.arena,
        time_ratio=ratio,
        equal_on_samples=len(inputs[0]),
    )
    needs = (
        "encoded weights need TFLite Micro's DECODE operator (late 2025 "
        "or later), which a vendor's copy may lack; "
        "the plain file is next to it"
    )
    notes = [Note("needs-decode-operator", needs, "warning")]
    if found.left_plain:
        text = f"{found.left_plain} tensors are not encoded: decoded they would not fit into the arena"
        notes.append(Note("partly-encoded", text))
    return replace(model, flatbuffer=found.content).with_fact(encoding).noting(*notes)


def _repeated(pool: tuple[np.ndarray, ...], count: int) -> tuple[np.ndarray, ...]:
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
