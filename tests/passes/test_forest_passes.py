"""What each pass for forests does, on a forest and data made for it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

from tflite_compress.compression.open_session import open_session
from tflite_compress.compression.options import Options
from tflite_compress.compression.session import Session
from tflite_compress.data.gather import DataSpec
from tflite_compress.passes import FloatModel, FloatPass
from tflite_compress.passes.algorithms.forest_score import forest_scorer, network_of
from tflite_compress.passes.algorithms.tree_selection import fewest_trees
from tflite_compress.passes.distill_trees import DistillTrees
from tflite_compress.passes.drop_trees import DropTrees
from tflite_compress.passes.export_trees import ExportTrees
from tflite_compress.passes.prune_trees import PruneTrees
from tflite_compress.passes.quantize_trees import QuantizeTrees
from tflite_compress.support.errors import ConfigError
from tflite_compress.support.progress import Silent

MAX_DROP = 0.02


@cache
def session_of(kind: str) -> Session:
    x, y = load_digits(return_X_y=True)
    makers = {
        "voting": RandomForestClassifier(40, random_state=0),
        "boosted": GradientBoostingClassifier(n_estimators=8, random_state=0),
    }
    model = makers[kind].fit(x[:900], y[:900])
    spec = DataSpec(train=(x[:900], y[:900]), evaluate=(x[900:], y[900:]))
    return open_session(model, spec, Options(max_drop=MAX_DROP), Silent())


def applied(kind: str, *chain: FloatPass) -> FloatModel:
    session = session_of(kind)
    model = FloatModel(session.source.network)
    for config in chain:
        model = config.apply(model, session.context)
    return model


@pytest.mark.parametrize("kind", ["voting", "boosted"])
@pytest.mark.parametrize("config", [PruneTrees(share=0.5), DropTrees(share=0.5)], ids=["prune", "drop"])
def test_a_pass_shrinks_within_its_share(kind: str, config: FloatPass) -> None:
    before = network_of(applied(kind)).forest
    after = network_of(applied(kind, config)).forest
    scorer = forest_scorer(session_of(kind).context)
    assert after.nodes < before.nodes
    assert scorer.drop_of(after) <= scorer.allowed_drop(0.5) == 0.5 * MAX_DROP
    if isinstance(config, DropTrees):
        assert len(after.trees) < len(before.trees)
    else:
        assert len(after.trees) == len(before.trees)


@pytest.mark.parametrize("config", [PruneTrees(share=0), DropTrees(share=0), DistillTrees(share=0)])
def test_a_share_of_zero_changes_nothing(config: FloatPass) -> None:
    assert applied("voting", config).network is applied("voting").network


def test_weights_make_up_for_dropped_trees() -> None:
    """Without weights a sum of fewer trees is smaller than the original's."""
    session = session_of("boosted")
    x = session.context.reference.splits.calibrate.inputs[0]
    before = network_of(applied("boosted")).forest
    after = network_of(applied("boosted", DropTrees(share=1.0))).forest
    slope = np.polyfit(before.predict_raw(x).ravel(), after.predict_raw(x).ravel(), 1)[0]
    assert 0.9 < slope < 1.1


def test_a_number_of_trees_is_chosen_only_if_larger_numbers_are_good_too() -> None:
    lucky = [0.0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.01, 0.0, 0.01, 0.0, 0.01, 0.0, 0.01]
    assert fewest_trees(lucky, 0.01, strict=False) == 7
    bumpy = [0.0] * 5 + [0.02] + [0.0] * 5
    assert fewest_trees(bumpy, 0.01, strict=False) == 1
    assert fewest_trees(bumpy, 0.01, strict=True) == 7
    assert fewest_trees([0.5, 0.5], 0.01, strict=False) == 3


def test_quantization_widens_where_accuracy_demands_it() -> None:
    small = network_of(applied("voting", QuantizeTrees())).forest
    assert small.grid is not None and small.grid.precision == "int8" == small.leaf_precision
    plain = network_of(applied("voting", QuantizeTrees(precision="float32"))).forest
    assert plain.grid is None


def test_distilled_trees_are_fewer_and_shallow() -> None:
    model = applied("boosted", DistillTrees(depth=5, share=1.0))
    forest, before = network_of(model).forest, network_of(applied("boosted")).forest
    scorer = forest_scorer(session_of("boosted").context)
    distilled = not any("not distilled" in note for note in [n.text for n in model.notes])
    assert distilled == (len(forest.trees) != len(before.trees))
    if distilled:
        assert forest.depth <= 5 and len(forest.trees) < len(before.trees)
        assert scorer.drop_of(forest) <= scorer.allowed_drop(1.0)


def test_every_pass_gives_the_same_again() -> None:
    chain = (DistillTrees(depth=4, share=1.0), PruneTrees(), DropTrees(), QuantizeTrees())
    context = session_of("boosted").context
    one, two = (ExportTrees().apply(applied("boosted", *chain), context).flatbuffer for _ in range(2))
    assert one == two


def test_recipes_mix_no_passes_for_trees_and_networks() -> None:
    from pathlib import Path

    from tflite_compress.pipeline.recipes import load_recipe

    bad = {
        "prune_trees convert": "neural networks",
        "export_trees quantize_trees": "'quantize_trees' must come before 'export_trees'",
        "quantize_trees prune_trees export_trees": "'prune_trees' must come before 'quantize_trees'",
    }
    for passes, complaint in bad.items():
        body = "".join(f'[[passes]]\npass = "{name}"\n' for name in passes.split())
        Path("bad.toml").write_text(f'name = "bad"\nsummary = "bad"\n{body}')
        with pytest.raises(ConfigError, match=complaint):
            load_recipe("bad.toml")
