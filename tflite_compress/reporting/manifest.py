"""The manifest: what is needed to make the same file again, and to see that it is the same."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tflite_compress.data.split import Splits
from tflite_compress.models.source import Source
from tflite_compress.pipeline.recipes import Recipe
from tflite_compress.profiles.devices import Device
from tflite_compress.support.errors import UsageError
from tflite_compress.support.file_manifest import SCHEMA, fingerprint, versions


def build_manifest(
    source: Source,
    splits: Splits,
    device: Device,
    recipe: Recipe,
    arguments: Mapping[str, object],
    seed: int,
    outputs: dict[str, bytes],
) -> dict[str, Any]:
    """Record a run.

    Args:
        source: The model.
        splits: The data as used.
        device: The full profile.
        recipe: The recipe as run, every setting resolved.
        arguments: Arguments of the call that made the data and the verdict.
        seed: Seed of everything random.
        outputs: Contents of the files written, by name.
    """
    return {
        "schema": SCHEMA,
        "versions": {**versions(recipe.for_forests), "python": platform.python_version()},
        "machine": platform.machine(),
        "seed": seed,
        "model": {"path": source.origin, "format": source.format, "sha256": source.sha256},
        "data": data_record(splits),
        "arguments": arguments,
        "device": msgspec.to_builtins(device),
        "recipe": msgspec.to_builtins(recipe),
        "outputs": {name: fingerprint(content) for name, content in outputs.items()},
    }


def data_record(splits: Splits) -> dict[str, dict[str, object]]:
    """Origin, number and hash of the samples in each role."""
    roles = {"train": splits.train, "calibrate": splits.calibrate, "evaluate": splits.evaluate}
    if splits.unlabelled is not None:
        roles["unlabelled"] = splits.unlabelled
    return {
        role: {"origin": samples.origin, "samples": len(samples), "sha256": samples.sha256()}
        for role, samples in roles.items()
    }


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest written by this tool.

    Raises:
        UsageError: It is missing, damaged, or of a run that cannot be repeated.
    """
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        wanted = {"model", "data", "arguments", "device", "recipe", "outputs", "seed"}
        complete = isinstance(manifest, dict) and wanted <= set(manifest)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read ({error})", "Give the manifest.json of a run.") from error
    if not complete:
        hint = "Give the manifest.json of one device's folder."
        raise UsageError(f"{path}: not the manifest of a single run", hint)
    if manifest["arguments"].get("not_repeatable"):
        raise UsageError(
            f"{path}: the run took {manifest['arguments']['not_repeatable']} from Python, not from files",
            "Run it again from Python with the same seed.",
        )
    if manifest["arguments"].get("time_budget_used"):
        raise UsageError(
            f"{path}: the run's time budget ended it early, and another run ends elsewhere",
            "Run 'tflite-compress compress' again with a larger --time-budget, or without one.",
        )
    return manifest
