"""The Keras model of a run."""

from __future__ import annotations

from typing import Any

from tflite_compress.compression.options import Options
from tflite_compress.models.cut import split_names
from tflite_compress.models.load import load_model
from tflite_compress.models.source import Source
from tflite_compress.support.references import resolve_reference


def keras_source(model: object, options: Options) -> Source:
    """Load a Keras model after seeding everything random."""
    from tflite_compress.support.backend import seed_everything

    seed_everything(options.seed)
    custom = options.custom_objects
    named = custom if isinstance(custom, str) else None
    objects: Any = resolve_reference(named, "--custom-objects") if named else custom
    return load_model(model, dict(objects or {}), options.trust_model, named, split_names(options.cut))
