"""Make the bundle that is deployed to a device: model, sources or a runner, and test vectors."""

from __future__ import annotations

from tflite_compress.bundling.bundle_registry import make_bundle
from tflite_compress.bundling.vectors import Preprocessing, find_preprocessing

__all__ = ["Preprocessing", "find_preprocessing", "make_bundle"]
