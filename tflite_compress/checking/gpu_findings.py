"""Checks of a file for a phone's GPU: LiteRT's GPU accelerator is asked, or a table of its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tflite_compress.checking.advice import suggest_replacement
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.verdict import Finding
from tflite_compress.runtimes.gpu_errors import GpuError
from tflite_compress.runtimes.gpu_phones import phone_statements
from tflite_compress.runtimes.gpu_plan import APART, AT_LOADING, GpuOperator, GpuPlan
from tflite_compress.runtimes.gpu_table import look_up
from tflite_compress.support.errors import CompressError
from tflite_compress.support.notes import named
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.tflite.narrow_indices import CHANNELS_TOGETHER, finds_index_on_gpu

MAX_RANK = 4  # the accelerator takes no tensor with more dimensions
PHONE_HINT = "Check the outputs on your phone: bundle writes an application with test vectors."
MAX_KINDS = 6  # kinds of operators listed per finding


def check_gpu(evidence: Evidence) -> list[Finding]:
    """Say which operators the GPU computes, why others do not run there, and what that costs.

    Args:
        evidence: The file.
    """
    answer = evidence.gpu
    if isinstance(answer, GpuPlan):
        return _describe_all(evidence, answer)
    return [_describe_error(answer), *_describe_all(evidence, look_up(evidence.content))]


def _describe_all(evidence: Evidence, plan: GpuPlan) -> list[Finding]:
    return [*describe_plan(plan), *_describe_indices(evidence, plan), *describe_phones(plan)]


def describe_plan(plan: GpuPlan) -> list[Finding]:
    """Return the findings about a plan: a summary, then one per kind of operator and reason.

    Args:
        plan: How the accelerator divides the file.
    """
    computed = [op for op in plan.operators if op.reason != AT_LOADING]
    if plan.is_whole:
        text = f"the GPU computes all {len(computed)} operators ({plan.source})"
        return [Finding("operators", True, text), *_describe_sparse(plan)]
    on_gpu = sum(op.on_gpu is True for op in computed)
    crossings = f"{len(plan.crossings)} tensor{'s' if len(plan.crossings) != 1 else ''}"
    text = (
        f"the GPU computes {on_gpu} of {len(computed)} operators ({plan.source}). The file runs in "
        f"{plan.pieces} parts; {plan.crossing_bytes:,} bytes in {crossings} change sides per inference"
    )
    if plan.is_live and on_gpu != plan.on_gpu:
        text += f"; the accelerator itself counts {plan.on_gpu} on the GPU"
    return [Finding("operators", None, text), *_describe_refusals(computed), *_describe_sparse(plan)]


def describe_phones(plan: GpuPlan) -> list[Finding]:
    """Return what phones were measured to do differently with operators that the GPU takes here.

    Args:
        plan: How the accelerator divides the file.
    """
    told: list[str] = []
    possible: list[str] = []
    for statement in phone_statements():
        alike = [op for op in plan.operators if op.on_gpu and statement.contradicts(op)]
        if alike and statement.where is None:
            told.append(f"measured on a phone: {_names(alike)}{_layers(alike)} {statement.text}")
        elif alike and statement.found in ("wrong", "crash"):
            possible.append(f"{statement.operator} {statement.text}")
    if possible:
        told.append(f"measured on phones under conditions that a file does not show: {'; '.join(possible)}")
    return [Finding("operators", None, text, PHONE_HINT) for text in told]


def _describe_error(error: CompressError) -> Finding:
    """Say why the accelerator did not answer; a file that its loader refuses does not run on the GPU."""
    refused = isinstance(error, GpuError) and error.cause == "refused"
    text = error.message if refused else f"{error.message}; a table answers instead"
    return Finding("operators", False if refused else None, text, error.hint)


def _describe_refusals(operators: Sequence[GpuOperator]) -> list[Finding]:
    """Return one finding per kind of operator and reason, one for unknown ones, and one for those apart."""
    groups: dict[tuple[str, str], list[GpuOperator]] = {}
    for op in operators:
        if op.on_gpu is False and op.reason not in (None, APART):
            groups.setdefault((op.name, str(op.reason)), []).append(op)
    found = []
    for (name, reason), alike in groups.items():
        counted = f"{len(alike)} {name} run" if len(alike) > 1 else f"{name} runs"
        text = f"{counted} on the CPU{_layers(alike)}: {reason}"
        found.append(Finding("operators", None, text, _advise(alike[0])))
    unknown = [op for op in operators if op.on_gpu is None]
    if unknown:
        text = (
            f"the table says nothing about {_names(unknown)} of these types and dimensions{_layers(unknown)}"
        )
        found.append(Finding("operators", None, text))
    apart = [op for op in operators if op.reason == APART]
    if apart:
        text = f"the CPU also runs {_names(apart)}{_layers(apart)}: {APART}"
        found.append(Finding("operators", None, text))
    return found


def _describe_sparse(plan: GpuPlan) -> list[Finding]:
    """Warn of sparse weights: the accelerator computes wrong values with them, in float32 too."""
    if not any(op.name == "DENSIFY" for op in plan.operators):
        return []
    text = "the accelerator of ai-edge-litert 2.3.0 computed wrong values from sparse weights (DENSIFY)"
    hint = "Deploy the file that bundle writes for this device, which stores them densely."
    return [Finding("operators", None, text, hint)]


def _describe_indices(evidence: Evidence, plan: GpuPlan) -> list[Finding]:
    """Warn of ARG_MAX that the accelerator takes and computes wrong."""
    editor = GraphEditor(unpack(evidence.content))
    wrong = [
        found
        for found, op in zip(plan.operators, editor.graph.operators or [], strict=True)
        if found.on_gpu and found.name == "ARG_MAX" and not finds_index_on_gpu(editor, op)
    ]
    if not wrong:
        return []
    text = (
        f"the accelerator of ai-edge-litert 2.3.0 gave wrong indices where all values are negative: "
        f"{_names(wrong)}{_layers(wrong)} over channels whose number is no multiple of {CHANNELS_TOGETHER}"
    )
    hint = "Convert with compress for this device, which rewrites ARG_MAX, or take the index in your program."
    return [Finding("operators", None, text, hint)]


def _advise(op: GpuOperator) -> str:
    """Return a hint on how to keep an operator on the GPU, from its tensors, else from its kind."""
    if op.rank > MAX_RANK:
        return f"keep tensors at {MAX_RANK} dimensions: fold the others into the batch"
    if "INT64" in op.types:
        return "compute numbers and positions in int32"
    return suggest_replacement(op.name)


def _names(operators: Sequence[GpuOperator]) -> str:
    """Return the kinds of operators with their numbers."""
    kinds = Counter(op.name for op in operators)
    return named([f"{count} {name}" if count > 1 else name for name, count in kinds.items()], MAX_KINDS)


def _layers(operators: Sequence[GpuOperator]) -> str:
    layers = list(dict.fromkeys(op.layer for op in operators if op.layer))
    return f" (layer {named(layers)})" if layers else ""
