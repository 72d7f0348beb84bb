from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.narrow import of_type
from tflite_compress.conversion import FOUR_BIT
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.encode import Encode
from tflite_compress.passes.int4 import Int4
from tflite_compress.passes.mixed import Mixed
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.prune_channels import PruneChannels
from tflite_compress.passes.qat import Qat
from tflite_compress.passes.repair import Repair
from tflite_compress.passes.training import Training, TrainingPass
from tflite_compress.pipeline.overrides import override
from tflite_compress.pipeline.plan import make_plan
from tflite_compress.pipeline.recipes import (
    Recipe,
    all_recipes,
    as_toml,
    describe,
    keeps_graph,
    load_recipe,
    recipe_candidates,
    repaired,
    settings,
)
from tflite_compress.profiles.devices import load_device
from tflite_compress.profiles.toml_files import bundled_names
from tflite_compress.support.errors import ConfigError, UsageError

GOOD = """
name = "mine"
summary = "my own"
[[passes]]
pass = "prune"
sparsity = 0.6
[[passes]]
pass = "convert"
precision = "int8"
[[fallbacks]]
sparsity = 0.7
precision = "float16"
"""


def test_the_promised_recipes_are_there() -> None:
    names = {r.name for r in all_recipes()}
    assert names >= {
        "float16", "dynamic", "int8", "int16x8", "prune-int8", "prune-float16", "prune-2x4-int8",
        "channel-prune-int8", "channel-prune-float16", "deep-compression-int8", "tiny-mcu", "sparse-float32",
    }  # fmt: skip
    assert names == set(bundled_names("recipes"))


@pytest.mark.parametrize("name", bundled_names("recipes"))
def test_every_bundled_recipe_resolves(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.summary and recipe_candidates(recipe)[0] == recipe


def test_a_users_recipe_by_path(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    recipe = load_recipe("mine.toml")
    assert recipe.passes[0] == Prune(sparsity=0.6)


def test_a_fallback_is_never_sparser_than_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    first, second = recipe_candidates(load_recipe("mine.toml"))
    assert isinstance(second.passes[0], Prune) and second.passes[0].sparsity == 0.6
    assert second.conversion.precision == "float16" and first.conversion.precision == "int8"


def test_versions_that_would_repeat_each_other_are_dropped() -> None:
    recipe = override(load_recipe("prune-int8"), {"sparsity": 0.3})
    assert [r.conversion.precision for r in recipe_candidates(recipe)] == ["int8", "int16x8", "float16"]


def test_a_type_the_user_chose_is_never_made_harsher() -> None:
    recipe = override(load_recipe("int8"), {"precision": "float16"})
    assert [r.conversion.precision for r in recipe_candidates(recipe)] == ["float16"]


def test_overrides() -> None:
    recipe = override(load_recipe("prune-int8"), {"sparsity": 0.4, "include": "conv", "encode": None})
    assert recipe.passes[0] == Prune(sparsity=0.4, include=("conv",))
    assert override(recipe, {"convert.precision": "float16"}).conversion == Convert(precision="float16")


def test_settings_of_training_are_overridden_by_their_own_key() -> None:
    recipe = load_recipe("prune-cluster-qat-int8")

    def epochs(changed: Recipe) -> dict[str, int | None]:
        return {p.tag(): p.training.epochs for p in changed.passes if isinstance(p, TrainingPass)}

    before = epochs(recipe)
    assert len({*before.values()}) > 1
    assert epochs(override(recipe, {"epochs": 9})) == dict.fromkeys(before, 9)
    for key in ("prune.epochs", "prune.training.epochs"):
        assert epochs(override(recipe, {key: 9})) == {**before, "prune": 9}
    with pytest.raises(ConfigError, match=r"--prune\.epochs=-1: expected whole number from 0"):
        override(recipe, {"prune.epochs": -1})
    with pytest.raises(UsageError, match="has no such setting"):
        override(recipe, {"convert.epochs": 1})


def test_training_that_is_not_given_is_the_pass_s_own() -> None:
    assert Prune(training=Training(learning_rate=0.0005)) == Prune()
    assert Prune().training != Qat().training
    with pytest.raises(ValueError, match="epochs and min_steps are both 0"):
        Qat(training=Training(epochs=0, min_steps=0))
    with pytest.raises(ConfigError, match="epochs and min_steps are both 0"):
        override(load_recipe("prune-int8"), {"epochs": 0, "min_steps": 0})
    exact = override(load_recipe("prune-int8"), {"epochs": 9}).passes[0]
    assert exact == Prune(training=Training(epochs=9)) and of_type(Prune, exact).training.min_steps == 0
    both = override(load_recipe("prune-int8"), {"min_steps": 5, "epochs": 9}).passes[0]
    assert of_type(Prune, both).training.min_steps == 5
    assert override(load_recipe("qat-int8"), {"min_steps": 7}).passes[0] == Qat(
        training=Training(min_steps=7)
    )


def test_a_recipe_as_toml_reads_back(tmp_path: Path) -> None:
    for recipe in all_recipes():
        for changes in (
            ({"epochs": 7}, {"epochs": 7, "min_steps": 600}) if recipe.name == "prune-int8" else ({},)
        ):
            changed = override(recipe, changes)
            (tmp_path / "again.toml").write_text(as_toml(changed))
            assert load_recipe("again.toml").passes == changed.passes
    assert as_toml(load_recipe("int8")).count("=") < 9


def test_true_and_false_are_read_from_text_in_either_case() -> None:
    for text, expected in (("false", False), ("True", True), (False, False)):
        first = override(load_recipe("prune-int8"), {"keep_ends": text}).passes[0]
        assert of_type(Prune, first).keep_ends is expected


def test_unknown_settings_are_refused_with_a_guess() -> None:
    with pytest.raises(UsageError, match=r"--sparsty.*Did you mean '--sparsity'"):
        override(load_recipe("prune-int8"), {"sparsty": 0.4})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (GOOD.replace('pass = "prune"', 'pass = "prun"'), r"mine\.toml: passes\[0\].*'prun'"),
        (GOOD.replace("sparsity = 0.6", "sparsity = 1.5"), r"mine\.toml: passes\[0\]\.sparsity: expected"),
        (
            GOOD.replace("sparsity = 0.6", "sparsity = 'x'"),
            r"passes\[0\]\.sparsity: expected `float`, got `str`",
        ),
        (
            GOOD.replace("sparsity = 0.6", "sparsitty = 0.6"),
            r"passes\[0\]: object contains unknown field `sparsitty`",
        ),
        (
            GOOD.replace('precision = "int8"', 'precision = "int4"'),
            r"passes\[1\]\.precision: invalid enum value 'int4'",
        ),
        (GOOD.replace("sparsity = 0.7", "sparsety = 0.7"), r"fallbacks: --sparsety"),
        (GOOD.replace('summary = "my own"', ""), "missing required field `summary`"),
        (GOOD.replace("convert", "slim").replace('precision = "int8"', ""), "exactly one 'convert'"),
        ("name = ", "not valid TOML"),
    ],
)
def test_mistakes_are_reported_by_file_and_key(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError, match=match) as caught:
        load_recipe("mine.toml")
    assert "mine.toml" in caught.value.message


def test_unknown_recipes() -> None:
    with pytest.raises(ConfigError, match=r"no recipe is called 'imt8'\. Did you mean 'int8'"):
        load_recipe("imt8")
    with pytest.raises(ConfigError, match="no such file"):
        load_recipe("gone.toml")


def test_plans_fill_in_what_the_device_settles() -> None:
    arduino = make_plan("arduino-nano-33-ble", None, {})
    assert of_type(Convert, arduino.candidates[0].conversion).io == "integer"
    assert [describe(r) for r in arduino.candidates] == [
        "int8",
        "repaired + int8",
        "repaired + learned rounding + mixed precision + int8",
        "int16x8",
    ]
    pi, edge_tpu = (make_plan(name, None, {}) for name in ("raspberry-pi-4", "coral-edge-tpu"))
    assert of_type(Convert, pi.candidates[0].conversion).io == "float32"
    assert make_plan("android-gpu", None, {}).candidates[0].conversion.precision == "float16"
    assert not of_type(Convert, edge_tpu.candidates[0].conversion).float_fallback


def test_channels_come_in_multiples_the_device_likes() -> None:
    for device, multiple, precision in (("raspberry-pi-4", 8, "int8"), ("alif-ensemble-e7", 16, "int8")):
        pruning = make_plan(device, "channel-prune-int8", {}).candidates[0].passes[0]
        assert isinstance(pruning, PruneChannels)
        assert (pruning.multiple, pruning.precision) == (multiple, precision)
    pruning = make_plan("android-gpu", "channel-prune-float16", {"multiple": 2}).candidates[0].passes[0]
    assert isinstance(pruning, PruneChannels) and (pruning.multiple, pruning.precision) == (2, "float16")


def test_weights_are_encoded_only_where_the_runtime_decodes_them() -> None:
    arduino = make_plan("arduino-nano-33-ble", "tiny-mcu", {})
    encoding = arduino.candidates[0].passes[-1]
    assert isinstance(encoding, Encode) and encoding.arena_limit_bytes == 128 * 1024
    pi = make_plan("raspberry-pi-4", "tiny-mcu", {})
    assert not any(isinstance(p, Encode) for p in pi.candidates[0].passes)
    assert any("weights are not encoded: litert" in note for note in [n.text for n in pi.notes])
    assert not any(isinstance(p, Encode) for p in make_plan("rp2040", "int8", {}).candidates[0].passes)
    assert isinstance(make_plan("rp2040", "int8", {"encode": "huffman"}).candidates[0].passes[-1], Encode)


def test_a_fallback_never_removes_more_channels_than_the_recipe() -> None:
    recipe = override(load_recipe("channel-prune-int8"), {"target_macs": 0.7})
    shares = [
        p.target_macs for r in recipe_candidates(recipe) for p in r.passes if isinstance(p, PruneChannels)
    ]
    assert shares[0] == 0.7 and min(shares) == 0.7


def test_a_recipe_the_device_cannot_run_is_refused() -> None:
    with pytest.raises(UsageError, match="rp2040 does not run float16"):
        make_plan("rp2040", "float16", {})


def test_repairs_come_before_fallbacks_and_only_where_they_fit() -> None:
    quick, thorough = repaired(load_recipe("prune-int8"), load_device("raspberry-pi-4"))
    assert describe(quick) == "80% sparsity + repaired + int8"
    assert describe(thorough) == "80% sparsity + repaired + learned rounding + mixed precision + int8"
    for name in ("float16", "dynamic", "int16x8", "repair-int8", "int4", "tiny-mcu", "deep-compression-int8"):
        assert repaired(load_recipe(name), load_device("raspberry-pi-4")) == (), name
    plan = make_plan("rp2040", None, {"per_channel": False})
    repairs = [of_type(Repair, config) for config in plan.candidates[1].passes[:2]]
    assert [(r.precision, r.per_channel) for r in repairs] == [("int8", False)] * 2


def test_every_recipe_to_int8_can_split_an_output_whose_parts_would_be_lost() -> None:
    device, checked = load_device("raspberry-pi-4"), 0
    for recipe in all_recipes():
        if recipe.for_forests or recipe.conversion.precision != "int8":
            continue
        for plan in repaired(recipe, device) or (recipe,):
            tags = {step.tag() for step in plan.passes}
            assert tags & {"split_outputs", "qat", "cluster"}, recipe.name
            checked += 1
    assert checked > 10


def test_a_gpu_gets_a_repair_of_float16_behind_the_conversion() -> None:
    (repair,) = repaired(load_recipe("float16"), load_device("android-gpu"))
    assert [step.tag() for step in repair.passes] == ["convert", "repair_float16", "slim"]
    for name in ("repair-float16", "dynamic"):
        assert repaired(load_recipe(name), load_device("android-gpu")) == (), name
    planned = make_plan("android-gpu", None, {}).candidates[1]
    assert [step.tag() for step in planned.passes] == "unroll convert gpu_graph repair_float16 slim".split()


def test_the_graph_is_fitted_to_a_gpu_unless_it_is_to_be_kept() -> None:
    first = make_plan("android-gpu", "prune-int8", {}).candidates[0]
    assert [step.tag() for step in first.passes][:4] == ["prune", "unroll", "convert", "gpu_graph"]
    kept = make_plan("android-gpu", None, {"keep_graph": True}).candidates[0]
    assert [step.tag() for step in kept.passes] == ["convert", "slim"]
    gpu = load_device("android-gpu")
    assert keeps_graph(kept, gpu) and not keeps_graph(first, gpu)
    with pytest.raises(UsageError, match="keep-graph"):
        make_plan("raspberry-pi-4", None, {"keep_graph": True})


def test_repairs_use_only_what_the_device_runs() -> None:
    def step(device: str, recipe: str, kind: type) -> Any:
        return next(p for p in make_plan(device, recipe, {}).candidates[0].passes if isinstance(p, kind))

    assert step("rp2040", "repair-mixed", Mixed).types == ("int16x8", "float32")
    assert step("coral-edge-tpu", "repair-mixed", Mixed).types == ()
    assert step("raspberry-pi-4", "int4", Int4).operators == FOUR_BIT
    assert step("rp2040", "int4", Int4).operators == ("CONV_2D", "DEPTHWISE_CONV_2D")
    assert step("coral-edge-tpu", "int4", Int4).operators == ()


def test_limits_without_a_recipe_add_recipes_that_train() -> None:
    named = [describe(r) for r in make_plan("rp2040", None, {}, limited=True).candidates]
    assert named[:2] == ["int8", "repaired + int8"] and named[-1] == "int16x8"
    assert named[3:5] == ["4-bit weights + learned rounding + int8", "50% of the MACs + int8"]
    coral = [describe(r) for r in make_plan("coral-edge-tpu", None, {}, limited=True).candidates]
    assert not any("4-bit" in name for name in coral)
    assert any("encoded" in name for name in named)
    pi = [describe(r) for r in make_plan("raspberry-pi-4", None, {}, limited=True).candidates]
    assert not any("encoded" in name for name in pi)  # LiteRT decodes no weights
    assert len(make_plan("rp2040", "int8", {}, limited=True).candidates) == len(
        make_plan("rp2040", "int8", {}).candidates
    )
    candidate = make_plan("rp2040", None, {"epochs": 2}, limited=True).candidates[4]
    assert isinstance(candidate.passes[0], PruneChannels) and candidate.passes[0].training.epochs == 2
    with pytest.raises(UsageError, match="has no such setting"):
        make_plan("rp2040", None, {"nonsense": 2}, limited=True)


def test_every_setting_has_a_sentence() -> None:
    for recipe in all_recipes():
        for row in settings(recipe):
            assert row.meaning.endswith(".") and " " in row.meaning and row.accepts != "table", row
