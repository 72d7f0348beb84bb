"""What the GPU accelerator takes of a file: its own answer, and the table's."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.runtimes.gpu_files import gathered, of_two_ranks, with_variable
from tests.timing.models import dense
from tflite_compress.runtimes.gpu_errors import GpuError
from tflite_compress.runtimes.gpu_jobs import GpuFile, GpuRun, run_on_gpu
from tflite_compress.runtimes.gpu_plan import APART, GpuPlan, ask_accelerator, refusal_of
from tflite_compress.runtimes.gpu_table import answer_key, look_up, operator_table
from tflite_compress.tflite.flatbuffer import builtin_names, unpack


def sides(plan: GpuPlan) -> list[bool | None]:
    return [op.on_gpu for op in plan.operators]


def test_a_refused_operator_has_its_layer_and_the_reason(gpu_driver: Path) -> None:
    plan = ask_accelerator(gathered())
    assert (
        plan.is_live and not plan.is_whole and "ai-edge-litert" in plan.source and "llvmpipe" in plan.source
    )
    assert sides(plan) == [True, True, False, False] and plan.on_gpu == 2
    refused, apart = plan.operators[2:]
    assert (refused.name, refused.layer, refused.reason) == (
        "GATHER_ND",
        "pick",
        "Operation is not supported",
    )
    assert apart.reason == APART
    assert (plan.pieces, len(plan.crossings), plan.crossing_bytes) == (2, 1, 16)


def test_operators_of_a_kind_that_is_refused_in_part_are_asked_alone(gpu_driver: Path) -> None:
    plan = ask_accelerator(of_two_ranks())
    assert sides(plan) == [True, False] and plan.on_gpu == 1
    assert plan.operators[1].reason == "Tensor dimensions must be less than 5"


def test_the_table_answers_without_the_accelerator() -> None:
    plan = look_up(gathered())
    assert not plan.is_live and "table" in plan.source
    assert sides(plan) == [True, True, False, False]
    assert plan.operators[2].reason == "Operation is not supported"
    assert look_up(dense(4)).is_whole
    assert look_up(with_variable()).operators[0].on_gpu is None  # not in the table


def test_the_table_names_operators_of_the_schema_once() -> None:
    answers = operator_table().answers
    assert {a.operator for a in answers} <= set(builtin_names()) and len({a.operator for a in answers}) > 100
    assert len(set(answers)) == len(answers)


@pytest.mark.slow
def test_the_table_is_what_the_accelerator_answers(gpu_driver: Path) -> None:
    from gpu_operators import all_cases, build

    files = random.Random(0).sample([build(case) for case in all_cases()], 300)
    known = {
        (a.operator, a.type, a.output, r, a.constants, a.reason)
        for a in operator_table().answers
        for r in a.ranks
    }
    compared = 0
    for content, run in zip(files, run_on_gpu([GpuFile(f) for f in files]), strict=True):
        if isinstance(run, GpuError):
            continue
        assert isinstance(run, GpuRun)
        tree = unpack(content)
        key, constants = answer_key(tree, tree.subgraphs[0], tree.subgraphs[0].operators[0])
        assert (*key, constants, refusal_of(run)) in known
        compared += 1
    assert compared > 150
