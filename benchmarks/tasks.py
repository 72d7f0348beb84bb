"""Quantization and channel pruning beyond classification: one command, written to docs/results.md.

    python benchmarks/tasks.py FOLDER [SET ...] [--skip=SET:TOOL]

Data and networks are in task_sets.py. Each tool gets the same trained network and the same 256 calibration
samples; with another seed, data, training and calibration samples are others. FOLDER keeps finished files, so
an interrupted run goes on. channel-prune-int8 takes most of the time.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from jobs import CALIBRATION, bridged, by_quantizer, converted
from results import write_section
from task_sets import SETS, TaskSet

from tflite_compress.models.output_parts import JoinedOutput, join_outputs

SEEDS = (0, 1, 2)
MAX_DROP = 0.01
TOOLS = {
    "float32": "float32, converter",
    "converter": "TFLiteConverter, int8",
    "quantizer": "litert-quantizer, int8",
    "int8": "tflite-compress, int8",
    "repair-int8": "tflite-compress, repair-int8",
    "channel-prune-int8": "tflite-compress, channel-prune-int8",
}
HEAD = "| task | tool | bytes | {} | accuracy drop with 95 % interval, points, seeds 0, 1, 2 |"


def trained(path: Path, data: TaskSet, seed: int) -> Path:
    """Train the network of a set and save it, unless it is there."""
    if not path.exists():
        import keras

        keras.utils.set_random_seed(seed)
        model = data.build()
        x, y = data.train
        model.fit(x, y, batch_size=data.batch, epochs=data.epochs, verbose=0)
        named = isinstance(model.loss, str)  # a file with a function as loss could not be loaded
        (model if named else keras.Model(model.inputs, model.outputs)).save(path)
    return path


def make(tool: str, path: Path, data: TaskSet, seed: int) -> tuple[bytes, tuple[JoinedOutput, ...]]:
    """Return the file that a tool makes of a trained network, and which of its outputs are parts of one."""
    x = data.train[0]
    samples = x[np.random.default_rng(seed).permutation(len(x))[:CALIBRATION]]
    if tool in ("float32", "converter"):
        return converted(bridged(path), samples, tool == "converter"), ()
    if tool == "quantizer":
        return by_quantizer(path, samples), ()
    import tflite_compress

    with tempfile.TemporaryDirectory() as folder:
        result = tflite_compress.compress(
            path,
            "raspberry-pi-4",
            recipe_with(data.repair, tool, Path(folder)),
            train=None if "prune" not in tool else x if data.labels is None else (x, data.labels),
            calibrate=samples,
            evaluate=data.evaluate,
            task=data.task,
            max_drop=1e9,  # the first candidate, as other tools have no fallbacks
            seed=seed,
            bundle=False,
            details=False,
            latency_seconds=0.01,
            out=Path(folder) / "out",
        )
        return result.tflite.read_bytes(), result.report.joined_outputs


def recipe_with(repair: str | None, name: str, folder: Path) -> str:
    """Return a bundled recipe's name, or the path of a copy that has a repair before the conversion."""
    text = (Path(__file__).resolve().parents[1] / "recipes" / f"{name}.toml").read_text()
    if repair is None or f'pass = "{repair}"' in text:
        return name
    conversion = '[[passes]]\npass = "convert"'
    path = folder / f"{name}.toml"
    path.write_text(text.replace(conversion, f'[[passes]]\npass = "{repair}"\n\n{conversion}'))
    return str(path)


def outputs_of(content: bytes, x: np.ndarray, joined: tuple[JoinedOutput, ...] = ()) -> np.ndarray:
    """Return the output of the network that a file computes as real numbers, shape (samples, ...)."""
    from ai_edge_litert.interpreter import Interpreter

    from tflite_compress.runtimes.litert import dequantize_array, quantize_array

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]
    signature = next(iter(interpreter.get_signature_list()))
    given = interpreter.get_signature_runner(signature).get_output_details()
    found: dict[str, list[np.ndarray]] = {name: [] for name in given}
    for sample in x:
        interpreter.set_tensor(taken["index"], quantize_array(sample[np.newaxis], taken))
        interpreter.invoke()
        for name, details in given.items():
            found[name].append(dequantize_array(interpreter.get_tensor(details["index"]), details)[0])
    arrays = [np.asarray(values, np.float32) for values in found.values()]
    return join_outputs(joined, list(found), arrays)[0]


def compared(data: TaskSet, before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """Return metric, score, drop and interval of a file's outputs beside those of the float file."""
    from tflite_compress.scoring.drop_evidence import DropRule, compare_outputs
    from tflite_compress.scoring.joint_output import NO_HEAD, ModelSample
    from tflite_compress.scoring.metrics import infer_head
    from tflite_compress.scoring.task_registry import find_task
    from tflite_compress.scoring.task_types import OutputSample

    x, y = data.evaluate
    task = find_task(data.task)
    if task.joint is None:
        head = task.checked_head(OutputSample(before, y, x, infer_head(before, y, None)))
        metric = task.metrics(head)[0]
    else:
        joint = task.joint(ModelSample((before,), y, x, NO_HEAD))
        metric, before, after = joint.metrics[0], joint.combine((before,)), joint.combine((after,))
    targets = task.make_targets(y, x)
    evidence = compare_outputs(metric, targets, before, after, DropRule(MAX_DROP))
    scores = [float(metric.function(targets, values)) for values in (before, after)]
    interval = evidence.drop_interval
    return {
        "metric": metric.name,
        "score": scores[1],
        "drop": metric.drop(*scores),
        "interval": None if interval is None else [interval.low, interval.high],
    }


def measured(folder: Path, name: str, seed: int, tools: Iterable[str] = TOOLS) -> dict[str, dict[str, Any]]:
    """Make and score the files of tools for a set and a seed, unless that is done."""
    record = folder / f"{name}-{seed}.json"
    found: dict[str, dict[str, Any]] = json.loads(record.read_text()) if record.exists() else {}
    missing = [tool for tool in tools if tool not in found]
    if not missing:
        return found
    data = SETS[name](seed)
    model = trained(folder / f"{name}-{seed}.keras", data, seed)
    for tool in missing:
        path = folder / f"{name}-{seed}-{tool}.tflite"
        print(f"{name}, seed {seed}: {tool}", flush=True)
        content, joined = make(tool, model, data, seed)
        path.write_bytes(content)
        before = outputs_of((folder / f"{name}-{seed}-float32.tflite").read_bytes(), data.evaluate[0])
        after = outputs_of(content, data.evaluate[0], joined)
        found[tool] = {"bytes": len(content), **compared(data, before, after)}
        record.write_text(json.dumps(found, indent=1))
    return found


def rows_of(folder: Path, name: str, skipped: Iterable[str]) -> list[str]:
    """Return the rows of a set in the table."""
    tools = [tool for tool in TOOLS if f"{name}:{tool}" not in skipped]
    by_seed = [measured(folder, name, seed, tools) for seed in SEEDS]
    title = SETS[name](SEEDS[0]).title
    rows = []
    for tool, words in TOOLS.items():
        if tool not in tools:
            rows.append(f"| {title} | {words} | not measured | | |")
            continue
        found = [results[tool] for results in by_seed]
        scores = ", ".join(f"{100 * one['score']:.2f}" for one in found)
        drops = "; ".join(_drop(one) for one in found) if tool != "float32" else ""
        size = max(one["bytes"] for one in found)
        metric = found[0]["metric"]
        rows.append(f"| {title} | {words} | {size:,} | {metric} {scores} | {drops} |")
    return rows


def _drop(found: dict[str, Any]) -> str:
    interval = found["interval"]
    drop = f"{100 * found['drop']:+.2f}"
    return drop if interval is None else f"{drop} ({100 * interval[0]:+.2f} to {100 * interval[1]:+.2f})"


def main(folder: Path, names: list[str], skipped: list[str]) -> None:
    """Make and score everything, and write the table."""
    from tflite_compress.timing.machine import machine_name

    folder.mkdir(parents=True, exist_ok=True)
    head = HEAD.format("score in %, seeds 0, 1, 2")
    rows = [head, "|" + "---|" * (head.count("|") - 1)]
    names = names or list(SETS)
    for name in names:
        rows += rows_of(folder, name, skipped)
    about = [f"- {SETS[name](SEEDS[0]).about}" for name in names]
    measured_on = f"Measured on {date.today()}, {machine_name()}, {os.cpu_count()} cores."
    write_section("Tasks other than classification", [*TEXT, *about, "", measured_on, "", *rows])


TEXT = [
    "Written by `benchmarks/tasks.py`. Each tool gets the same trained network and 256 calibration samples. "
    "With each seed, data, training and calibration samples are others.",
    "",
    "- Accuracy drop: relative to the float32 file of the same seed; paired bootstrap on the same samples.",
    "- Bytes: the largest of the three seeds.",
    "- channel-prune-int8 halves the multiply-accumulates.",
]


if __name__ == "__main__":
    given = sys.argv[2:]
    left_out = [word.removeprefix("--skip=") for word in given if word.startswith("--skip=")]
    main(Path(sys.argv[1]), [word for word in given if not word.startswith("--skip=")], left_out)
