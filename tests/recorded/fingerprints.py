"""Fingerprints of what the tool writes, to prove that a change of structure changes no output.

    python -m tests.recorded.fingerprints             writes fingerprints.json again
    python -m tests.recorded.fingerprints NAME ...    prints the conversions of these models, or the
                                                      examples of these recipes

The bytes of a conversion depend on the processor's vector instructions: activation ranges come from float
sums. Fingerprints are therefore recorded with the processor they were made on.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORD = Path(__file__).parent / "fingerprints.json"
EXAMPLES = Path(__file__).parents[2] / "examples"
PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8")
EXAMPLE_RECIPES = (
    "int4 repair-int8 repair-mixed sparse-float32 prune-int8 channel-prune-int8 tiny-mcu qat-int8".split()
)
FORESTS = ("forest nan", "boosted", "histogram", "xgboost", "lightgbm")
# In each run, the converter's native code leaves other SPLIT operators of unrolled cells in float32, even
# on one core, with a fixed layout of memory (setarch -R) and a fixed PYTHONHASHSEED. The tool splits integers
# there, but QUANTIZE operators to the scales of the parts remain, in other places in each run.
UNSTABLE = ("encoder_decoder int8", "gru int8", "stacked_cells int8")
SHORT = {"epochs": 1, "min_steps": 40, "recovery_steps": 20, "rounds": 1}
# No equations are solved: the last bits of a solution differ between processors.
UNSOLVED = {"schedule": "polynomial", "reconstruct": False}
PRUNED = ("sparse-float32", "prune-int8")
# The default learning rate of pruning weights when the bytes were recorded.
RECORDED_RATE = {recipe: {"learning_rate": 0.002} for recipe in PRUNED}


def digest(content: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of ``content``."""
    return hashlib.sha256(content).hexdigest()[:16]


def processor() -> str:
    """Vector instructions and cores, on which the last bits of a training depend, as ``avx2, 2 cores``."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        flags = ""
    widest = next((flag for flag in ("avx512_vnni", "avx512f", "avx2") if f" {flag} " in flags), "other")
    return f"{widest}, {len(os.sched_getaffinity(0))} cores"


def conversions(names: tuple[str, ...] | None = None) -> dict[str, str]:
    """Size and digest of each zoo model in each precision; ``refused`` where the converter refuses it."""
    from tests.models.test_bridge import shake_weights
    from tests.models.zoo import NAMES, models
    from tflite_compress.data.gather import DataSpec, gather
    from tflite_compress.models.load import load_model
    from tflite_compress.passes import Context, FloatModel
    from tflite_compress.pipeline.recipes import load_recipe
    from tflite_compress.scoring.reference import make_reference
    from tflite_compress.support.backend import keras3, tf_keras
    from tflite_compress.support.errors import ConversionError
    from tflite_compress.support.progress import Silent

    found: dict[str, str] = {}
    for name in names or NAMES:
        keras3().utils.clear_session()  # layers are numbered anew, so that names do not depend on other tests
        tf_keras().backend.clear_session()
        model = models(keras3())[name]()
        shake_weights(model)
        source = load_model(model)
        splits = gather(DataSpec(), source.network, 0)
        context = Context(make_reference(source.network, splits, source.loss, None, None), 0, Silent())
        for precision in PRECISIONS:
            if f"{name} {precision}" in UNSTABLE:
                continue
            try:
                result = load_recipe(precision).conversion.apply(FloatModel(source.network), context)
                found[f"{name} {precision}"] = f"{len(result.flatbuffer)} {digest(result.flatbuffer)}"
            except ConversionError:
                found[f"{name} {precision}"] = "refused"
    return found


def example(recipe: str) -> dict[str, Any]:
    """Digest and figures of the bundled example compressed by ``recipe`` with a short training."""
    from tflite_compress import compress
    from tflite_compress.pipeline.recipes import load_recipe, settings

    known = {setting.key for setting in settings(load_recipe(recipe))}
    given = {**SHORT, **UNSOLVED, **RECORDED_RATE.get(recipe, {})}
    device = "rp2040" if recipe == "tiny-mcu" else "raspberry-pi-4"
    with tempfile.TemporaryDirectory() as folder:
        result = compress(
            EXAMPLES / "digits.keras",
            device,
            recipe,
            data=EXAMPLES / "digits.npz",
            out=Path(folder) / "out",
            overrides={key: value for key, value in given.items() if key in known},
            bundle=False,
            details=False,
            latency_seconds=0.05,
            max_drop=1.0,
        )
        return {"file": digest(result.tflite.read_bytes()), **figures(result)}


def spelled(tag: str) -> str:
    """The name of a pass when fingerprints were recorded."""
    renamed = {"prune_channels": "prune_channels", "calibration": "ranges"}
    return renamed.get(tag, tag.replace("_", "-"))


def figures(result: Any) -> dict[str, Any]:
    """The figures of a result's report that do not depend on the machine's speed."""
    report = result.report
    size, accuracy, macs = report.size, report.accuracy, report.macs
    return {
        "bytes": [size.baseline.bytes, size.result.bytes],
        "gzip_bytes": [size.baseline.gzip_bytes, size.result.gzip_bytes],
        "accuracy": [round(accuracy.before, 6), round(accuracy.after, 6)],
        "macs": [macs.baseline.value, macs.result.value],
        "passes": [[spelled(step.name), round(step.accuracy, 6)] for step in report.passes],
        "sparsity": {name: round(value, 6) for name, value in report.sparsity_by_layer.items()},
        "channels": {name: list(pair) for name, pair in report.channels_by_layer.items()},
        "clusters": report.clusters_by_layer,
        "fits": report.fit.fits,
    }


def forest_code(name: str) -> dict[str, str]:
    """Digest of each C file of a forest, and of its ``.tflite``."""
    from tests.trees.conftest import fitted
    from tflite_compress.trees.c_source import write_c_forest
    from tflite_compress.trees.load_forest import load_forest

    estimator, _ = fitted(name)
    forest, _, _ = load_forest(estimator, False)
    code = write_c_forest(forest, "model", True)
    return {file: digest(content) for file, content in sorted(code.files.items())}


def record() -> dict[str, Any]:
    """All fingerprints."""
    parts: dict[str, Callable[[], Any]] = {
        "processor": processor,
        "conversions": conversions,
        "examples": lambda: {recipe: example(recipe) for recipe in EXAMPLE_RECIPES},
        "forests": lambda: {name: forest_code(name) for name in FORESTS},
    }
    return {name: compute() for name, compute in parts.items()}


if __name__ == "__main__":
    from tflite_compress.support.process_settings import own_process

    own_process()
    names = tuple(sys.argv[1:])
    if names:
        recipes = [name for name in names if name in EXAMPLE_RECIPES]
        print(json.dumps({r: example(r) for r in recipes} if recipes else conversions(names)))
        sys.exit()
    RECORD.write_text(json.dumps(record(), indent=1) + "\n")
