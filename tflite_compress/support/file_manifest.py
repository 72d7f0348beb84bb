"""Identify files and the software that wrote them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from pathlib import Path

from tflite_compress.support.version import tool_version

SCHEMA = 1
_PACKAGES = "tensorflow tf-keras keras tensorflow-model-optimization ai-edge-litert numpy".split()
_FOREST_PACKAGES = "scikit-learn skops xgboost-cpu xgboost lightgbm".split()


def files_manifest(files: dict[str, bytes]) -> str:
    """Return a manifest that lists files, as JSON text, for a folder that was not written by a run."""
    outputs = {name: fingerprint(content) for name, content in sorted(files.items())}
    return json.dumps({"schema": SCHEMA, "versions": versions(), "outputs": outputs}, indent=2) + "\n"


def versions(with_forests: bool = False) -> dict[str, str]:
    """Return installed versions of the packages that affect results.

    Args:
        with_forests: Include installed libraries for decision trees.
    """
    found = {"tflite-compress": tool_version()}
    for package in (*_PACKAGES, *(_FOREST_PACKAGES if with_forests else ())):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            if package in _PACKAGES:
                found[package] = "not installed"
    return found


def fingerprint(content: bytes) -> dict[str, object]:
    """Return the size in bytes and the SHA-256 of a file."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def hash_path(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file != path:
            digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
