"""Sandboxed load: load an untrusted model in a child process first, with limits on memory and time.

Keras allocates a layer's weights before it reads those in the file, so a file of a few kilobytes can request
any amount of memory. A sandboxed load doubles the loading time, so only suspicious models get one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tflite_compress.models.containers import require_weights_held
from tflite_compress.models.keras_types import Config
from tflite_compress.runtimes.isolated import last_line, run_child
from tflite_compress.support.errors import ModelError

SECONDS = 300  # of a sandboxed load
BASE_BYTES = 12 << 30  # address space that TensorFlow maps, and working memory
SUSPICIOUS_WEIGHTS = 250_000_000
SUSPICIOUS_NODES = 20_000
_SIZES = "units filters kernel_size input_dim output_dim num_heads key_dim value_dim n size".split()
_SHAPES = "shape batch_shape batch_input_shape target_shape pool_size padding".split()
REPLY_PREFIX = "tflite-compress-load:"


def is_suspicious(config: Config) -> bool:
    """Return True if a configuration allows more than 250 million weights or 20,000 layers.

    The number of weights is an upper bound: the largest layer applied to the widest input. Real models of
    that size exist; they are loaded twice.

    Args:
        config: The model's decoded JSON configuration.
    """
    largest, shapes, nodes = [1, 1], 1, 0
    stack: list[object] = [config]
    flattens = False
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict):
            nodes += "class_name" in item
            flattens |= item.get("class_name") in ("Flatten", "Reshape", "Permute")
            product = 1
            for key, value in item.items():
                if key in _SIZES:
                    product *= _product(value)
                elif key in _SHAPES:
                    shapes = max(shapes, _product(value))
                stack.append(value)
            largest = sorted([*largest, product])[-2:]
    width = max(largest[0], shapes if flattens else 1)
    return (
        nodes > SUSPICIOUS_NODES or shapes > SUSPICIOUS_WEIGHTS or (largest[1] * width > SUSPICIOUS_WEIGHTS)
    )


def _product(value: object) -> int:
    if isinstance(value, list):
        result = 1
        for entry in value:
            result *= _product(entry)
        return result
    return max(1, abs(value)) if isinstance(value, int) and not isinstance(value, bool) else 1


def require_loadable(path: Path, custom: str | None) -> None:
    """Load a model in a child process with limits, and compare its number of weights with the file size.

    Args:
        path: The model.
        custom: Custom objects as ``module:dict``; None if there are none or they are Python objects.

    Raises:
        ModelError: The model does not load within the limits, or claims more weights than the file holds.
    """
    command = [sys.executable, "-m", "tflite_compress.models.sandbox_child", str(path), custom or ""]
    size = sum(p.stat().st_size for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file())
    limit = BASE_BYTES + 6 * size
    done = run_child(command, f"loading {path}", seconds=SECONDS, memory_bytes=limit)
    replies = [line for line in done.stdout.splitlines() if line.startswith(REPLY_PREFIX)]
    if not replies:
        raise ModelError(
            f"{path}: cannot be loaded within {limit >> 30} GB of memory ({last_line(done.stderr)[:200]})",
            "If you trust the source of the model, pass --trust-model.",
        )
    reply = json.loads(replies[-1].removeprefix(REPLY_PREFIX))
    if "message" in reply:
        raise ModelError(reply["message"], reply["hint"])
    require_weights_held(path, reply["parameters"])
