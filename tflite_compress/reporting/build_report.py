"""The report: everything a run found out, as plain data for ``report.json``."""

from __future__ import annotations

import gzip
import itertools
from dataclasses import asdict
from typing import Any

import msgspec

from tflite_compress.data.gather import RANDOM_ORIGIN
from tflite_compress.data.split import Splits
from tflite_compress.passes import ConvertedModel, Stage
from tflite_compress.passes.values import ChannelWidths, Clusters, DenseFile, Encoding, Sparsity
from tflite_compress.pipeline.candidates import Attempt, Step
from tflite_compress.pipeline.plan import Plan
from tflite_compress.pipeline.recipes import describe
from tflite_compress.runtimes.litert import LiteRTModel
from tflite_compress.scoring.reference import Reference, distance
from tflite_compress.tflite.macs import Work, count_work
from tflite_compress.timing.machine import machine_name
from tflite_compress.timing.paired import Latency, measure_alternately

SCHEMA = 1
NO_DIFFERENCE = 0.05


def sizes(content: bytes) -> dict[str, int]:
    """Bytes of a file, and of the same gzipped as app stores and over-the-air updates send it."""
    return {"bytes": len(content), "gzip_bytes": len(gzip.compress(content, 9, mtime=0))}


def measure(original: bytes, attempt: Attempt, reference: Reference, seconds: float) -> tuple[Latency, ...]:
    """Latency of the original as plain float32 ``.tflite`` and of the result, in turns on this machine.

    A result with sparse storage is also timed without it, as a third entry.
    """
    model = attempt.model
    files = [original, model.for_litert]
    if (dense := model.find(DenseFile)) is not None:
        files.append(dense.content)
    sample = tuple(x[:1] for x in reference.splits.evaluate.inputs)
    runners = []
    for content in files:
        runner = LiteRTModel(content, *model.network.tensor_names)
        runner.set_inputs(sample)
        runners.append(runner)
    return tuple(measure_alternately(runners, seconds))


def build_report(
    plan: Plan,
    attempts: list[Attempt],
    chosen: Attempt,
    reference: Reference,
    original: bytes,
    latency: tuple[Latency, ...],
    max_drop: float,
    verified: bool,
) -> dict[str, Any]:
    """Everything found out about one device's result.

    Args:
        plan: What was to be tried.
        attempts: What was tried.
        chosen: The attempt whose file is kept.
        reference: The original model on the data.
        original: The original converted to float32, for comparison.
        latency: What :func:`measure` gave.
        max_drop: Accuracy that may be lost.
        verified: False where there was no data to check accuracy on.
    """
    content = chosen.model.flatbuffer
    assert content is not None and chosen.outputs is not None
    runs_here = chosen.model.for_litert
    assert runs_here is not None
    work, work_before = count_work(runs_here), count_work(original)
    passed = chosen.drop <= max_drop
    before, after = sizes(original), sizes(content)
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "verdict": ("passed" if passed else "failed") if verified else "unverified",
        "device": {"name": plan.device.name, "title": plan.device.title},
        "recipe": {
            "name": chosen.recipe.name,
            "in_short": _in_short(chosen),
            "for_forests": chosen.recipe.for_forests,
        },
        "accuracy": _accuracy(reference, chosen, max_drop, verified),
        "distance_from_original": distance(reference.evaluation_outputs, chosen.outputs),
        "size": {"original_float32": before, "result": after, "ratio": after["bytes"] / before["bytes"]},
        "parameters": {
            "original": reference.network.parameter_count(),
            "result_weights": sum(layer.weights for layer in work.layers),
            "result_zeros": sum(layer.zeros for layer in work.layers),
        },
        "macs": {"original": _macs(work_before), "result": _macs(work)},
        "operators": count_work(content).operators,
        "sparsity_by_layer": dict(chosen.model.fact(Sparsity).by_layer),
        "channels_by_layer": {
            name: list(pair) for name, pair in chosen.model.fact(ChannelWidths).by_layer.items()
        },
        "clusters_by_layer": dict(chosen.model.fact(Clusters).by_layer),
        "encoding": _encoding(chosen.model.find(Encoding)),
        "weights": [asdict(layer) for layer in work.layers],
        "latency": _latency(latency),
        "device_latency": {
            "kind": "unknown",
            "why": f"not measured on {plan.device.title}; figures under 'latency' are from this machine",
        },
        "attempts": [_attempt(a, max_drop) for a in attempts],
        "passes": [_step(s) for s in chosen.steps],
    }
    data_notes = _data_notes(reference.splits)
    further = [
        f"went beyond {describe(a.recipe)}: {a.error or a.violation or f'loses {a.drop:.4f}'}"
        for a in itertools.takewhile(lambda a: a is not chosen, attempts)
    ]
    settled, made = ([note.text for note in notes] for notes in (plan.notes, chosen.model.notes))
    report["notes"] = [*settled, *further, *data_notes, *made, *_honest_notes(report)]
    return report


def _encoding(found: Encoding | None) -> dict[str, Any] | None:
    """What encoding weights saved and cost; None where none are encoded."""
    if found is None:
        return None
    return {
        "kinds": dict(found.kinds),
        "tables": found.tables,
        "plain_bytes": len(found.plain),
        "bytes": found.encoded_bytes,
        "arena_bytes": {
            "plain": found.plain_arena_bytes,
            "encoded": found.encoded_arena_bytes,
            "runtime": "TFLite Micro, 64-bit build",
        },
        "time_ratio": {
            "value": found.time_ratio,
            "where": "TFLite Micro reference kernels on this machine, interleaved",
        },
        "equal_on_samples": found.equal_on_samples,
    }


def _in_short(chosen: Attempt) -> str:
    """What was done, leaving out an encoding that did not pay."""
    passes = tuple(
        p for p in chosen.recipe.passes if p.stage is not Stage.ENCODE or chosen.model.find(Encoding)
    )
    return describe(msgspec.structs.replace(chosen.recipe, passes=passes))


def _accuracy(reference: Reference, chosen: Attempt, max_drop: float, verified: bool) -> dict[str, Any]:
    score = chosen.steps[-1].score
    return {
        "metric": reference.metric_name,
        "labelled": reference.labelled,
        "verified": verified,
        "samples": len(reference.splits.evaluate),
        "before": reference.score.value,
        "after": score.value,
        "drop": chosen.drop,
        "max_drop": max_drop,
        "by_output": {
            port.name: {"before": b, "after": a}
            for port, b, a in zip(
                reference.network.outputs, reference.score.by_output, score.by_output, strict=True
            )
        },
    }


def _latency(latency: tuple[Latency, ...]) -> dict[str, Any]:
    before, after = latency[:2]
    found = {
        "kind": "measured",
        "where": f"this machine ({machine_name()}), LiteRT, 1 thread, batch 1, in turns",
        "original_float32": asdict(before),
        "result": asdict(after),
        "ratio": after.median_ms / before.median_ms,
    }
    for dense in latency[2:]:
        found["result_stored_densely"] = asdict(dense)
        found["sparse_ratio"] = after.median_ms / dense.median_ms
    return found


def _macs(work: Work) -> dict[str, Any]:
    if work.uncounted:
        return {"kind": "unknown", "at_least": work.macs, "uncounted": list(work.uncounted)}
    return {"kind": "counted", "value": work.macs}


def _attempt(attempt: Attempt, max_drop: float) -> dict[str, Any]:
    finished = attempt.outputs is not None
    return {
        "in_short": describe(attempt.recipe),
        "drop": attempt.drop if finished else None,
        "passed": finished and attempt.drop <= max_drop and not attempt.violation,
        "error": attempt.error or None,
        "violation": attempt.violation or None,
        "passes": [_step(s) for s in attempt.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "pass": step.config.tag(),
        "settings": {k: v for k, v in msgspec.to_builtins(step.config).items() if k != "pass"},
        "seconds": round(step.seconds, 3),
        "accuracy_after": step.score.value,
        "drop": step.drop,
        "bytes": len(step.model.flatbuffer) if isinstance(step.model, ConvertedModel) else None,
    }


def _data_notes(splits: Splits) -> list[str]:
    """What to know about the data itself."""
    notes = [note.text for note in splits.evaluate.notes]
    evaluation = splits.evaluate.sha256()
    if splits.evaluate.origin != RANDOM_ORIGIN and evaluation in (
        splits.train.sha256(),
        splits.calibrate.sha256(),
    ):
        notes.append("evaluation data is the same as training or calibration data: accuracy looks too good")
    return notes


def _honest_notes(report: dict[str, Any]) -> list[str]:
    """What the figures do not show by themselves."""
    notes = []
    ratio = report["latency"]["ratio"]
    if abs(ratio - 1) < NO_DIFFERENCE:
        notes.append("no difference in latency was measured on this machine")
    elif ratio > 1:
        notes.append(f"on this machine the result is slower than the float32 original ({ratio:.2f}x)")
    if report["size"]["ratio"] >= 1 and report["recipe"]["for_forests"]:
        notes.append("the file is no smaller than the uncompressed forest's")
    elif report["size"]["ratio"] >= 1:
        notes.append(
            "the file is no smaller than the float32 original: in a model this small, scales, extra "
            "operators and metadata outweigh the weights"
        )
    sparse = report["latency"].get("sparse_ratio")
    if sparse is not None:
        notes.append(
            "zeros are left out of the file and put back when it is loaded: latency is "
            f"{sparse:.2f}x that of the dense file on this machine"
        )
    elif report["encoding"]:
        arena, ratio = report["encoding"]["arena_bytes"], report["encoding"]["time_ratio"]["value"]
        notes.append(
            f"weights are decoded before each layer: arena {arena['plain']:,} → {arena['encoded']:,} bytes, "
            f"time {ratio:.2f}x on TFLite Micro's reference kernels here; accuracy and latency are those of "
            f"the plain file, equal bit for bit on {report['encoding']['equal_on_samples']} samples"
        )
    elif report["sparsity_by_layer"]:
        notes.append(
            "pruned weights are stored as zeros: the .tflite itself is no smaller and dense kernels are no "
            "faster for them; what shrinks is the file once compressed (see gzip_bytes)"
        )
    if any("SEQUENCE" in name for name in report["operators"]):
        notes.append(
            "recurrent operators keep their state between inferences: call reset_all_variables() (Reset() in "
            "TFLite Micro) before each new sequence"
        )
    if not report["accuracy"]["verified"]:
        notes.append("no data was given: outputs were compared on random inputs, accuracy is unknown")
    elif not report["accuracy"]["labelled"]:
        notes.append("the data has no labels: accuracy is agreement with the original model's answers")
    return notes
