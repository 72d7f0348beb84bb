"""Checks of a file for an Edge TPU: what its compiler does with the operators, and what is not known."""

from __future__ import annotations

from tflite_compress.checking.compiled_files import find_compiler
from tflite_compress.checking.contents import Contents
from tflite_compress.checking.edgetpu import FOUR_BITS, Plan, describe_cpu, plan_compilation
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.operator_findings import check_compiled
from tflite_compress.checking.verdict import Finding
from tflite_compress.profiles.devices import Device, operator_sets
from tflite_compress.runtimes.operator_support import litert_lacks

_AFTER = "edgetpu_compiler -a also maps what follows an operator on the CPU, in further parts."


def check_edgetpu(evidence: Evidence, device: Device) -> list[Finding]:
    """Check operators and types of a file for an Edge TPU.

    Args:
        evidence: The file.
        device: The profile of an Edge TPU.
    """
    contents = evidence.contents
    names = tuple(dict.fromkeys(op.name for op in contents.operators))
    compiler = find_compiler(names)
    if compiler is not None:
        return [check_compiled(contents, device, compiler)]
    plan = plan_compilation(evidence.tree, operator_sets()[str(device.runtime.operators)])
    return [*_check_placements(plan), *_check_cpu(names), *_check_graphs(plan), *_check_types(contents, plan)]


def _check_placements(plan: Plan) -> list[Finding]:
    """Say how many operators run on the TPU, why others do not, and what decides in the rest."""
    count, total = plan.mapped, len(plan.placements)
    reasons = describe_cpu(plan.placements)
    if count == total:
        found = [Finding("operators", True, f"edgetpu_compiler supports all {total} operators")]
    else:
        text = f"edgetpu_compiler maps {count} of {total} operators, the others run on the CPU"
        follows = any(p.cause == "follows another" for p in plan.placements)
        hint = _AFTER if follows and count else None
        fits = None if count else False
        if any(p.detail == FOUR_BITS for p in plan.placements):
            hint = "Store all weights in 8 bits: --recipe=int8 without 4-bit layers."
        found = [Finding("operators", fits, f"{text}: {'; '.join(reasons)}", hint)]
    conditions = {p.name: p.condition for p in plan.placements if p.condition is not None}
    if conditions:
        rest = "; ".join(f"{name}: {text}" for name, text in conditions.items())
        found.append(Finding("operators", None, f"not checked, the compiler decides: {rest}"))
    return found


def _check_cpu(names: tuple[str, ...]) -> list[Finding]:
    """Check that LiteRT has the operators left to the CPU; only custom ones can be missing."""
    missing = litert_lacks(names)
    if not missing:
        return []
    text = f"LiteRT has no {', '.join(missing)}, so the compiler cannot load the file"
    return [
        Finding("operators", False, text, "Remove the operator, or register its kernel in your own runtime.")
    ]


def _check_graphs(plan: Plan) -> list[Finding]:
    """Name what is not known of files with branches, loops or initialization."""
    if not plan.other_graphs:
        return []
    text = (
        f"{plan.other_graphs + 1} graphs (branches, loops or initialization): Coral's documentation does not "
        "say whether edgetpu_compiler takes them"
    )
    return [Finding("operators", None, text, "Convert a model without control flow and resource variables.")]


def _check_types(contents: Contents, plan: Plan) -> list[Finding]:
    """Check that the TPU computes something in 8 bits, int8 or uint8."""
    used = ", ".join(sorted(contents.precisions)) or "integers"
    if contents.precisions <= {"int8"}:
        return [Finding("types", True, f"computes in {used}")]
    if not plan.mapped:
        return [
            Finding("types", False, f"computes in {used}; the TPU in int8", "Convert with --recipe=int8.")
        ]
    return [Finding("types", None, f"computes in {used}: the operators outside int8 run on the CPU")]
