"""Models that process text name the layers to move out, and the hint gives a model that loads."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.models.load import load_model
from tflite_compress.support.errors import ModelError


def model_of(keras: ModuleType, layer: Any) -> Any:
    text, number = keras.Input((1,), dtype="string", name="text"), keras.Input((2,), name="number")
    hidden = keras.layers.Flatten()(keras.ops.cast(layer(text), "float32"))
    joined = keras.layers.Concatenate()([hidden, number])
    return keras.Model([text, number], keras.layers.Dense(2, activation="softmax")(joined))


@pytest.mark.parametrize("kind", ["StringLookup", "TextVectorization", "Hashing"])
def test_the_hint_leads_to_a_model_that_loads(keras: ModuleType, kind: str, tmp_path: Path) -> None:
    options: dict[str, dict[str, object]] = {
        "StringLookup": {"vocabulary": ["a", "b", "c"], "output_mode": "one_hot"},
        "TextVectorization": {"vocabulary": ["a", "b"], "output_sequence_length": 3},
        "Hashing": {"num_bins": 5},
    }
    model = model_of(keras, getattr(keras.layers, kind)(name="words", **options[kind]))
    model.save(tmp_path / "text.keras")
    with pytest.raises(ModelError, match=rf"input 'text' is text.*'words' \({kind}\)") as caught:
        load_model(tmp_path / "text.keras")
    hint = present(caught.value.hint)
    code = re.search(r"save (keras\.Model\(.*\))\. Give", hint)
    assert code is not None and "from 'words'" in hint
    rest = eval(code[1], {"keras": keras, "model": model})
    source = load_model(rest)
    words = np.array([["a"], ["b"]])
    numbers = np.ones((2, 2), np.float32)
    encoded = np.asarray(model.get_layer("words")(words))
    expected = np.asarray(model([words, numbers]))
    assert np.allclose(source.network.predict((encoded, numbers))[0], expected, atol=1e-6)


def test_an_exported_graph_names_its_input(keras: ModuleType, tmp_path: Path) -> None:
    model = model_of(keras, keras.layers.Hashing(5))
    model.export(tmp_path / "exported", verbose=False)
    with pytest.raises(ModelError, match="'text' is text"):
        load_model(tmp_path / "exported", trust=True)


def test_layers_are_cut_off(keras: ModuleType, tmp_path: Path) -> None:
    lookup = keras.layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot", name="words")
    model = model_of(keras, lookup)
    model.save(tmp_path / "text.keras")
    source = load_model(tmp_path / "text.keras", cut=("words",))
    words, numbers = np.array([["a"], ["b"]]), np.ones((2, 2), np.float32)
    expected = np.asarray(model([words, numbers]))
    encoded = np.asarray(lookup(words))
    assert np.allclose(source.network.predict((encoded, numbers))[0], expected, atol=1e-6)
    assert [spec.shape for spec in source.network.inputs] == [(None, 3), (None, 2)]
    assert [note.code for note in source.notes] == ["model-cut"] and "'words'" in source.notes[0].text


def test_a_layer_to_cut_must_exist(keras: ModuleType) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="only")])
    with pytest.raises(ModelError, match="no layer 'other'") as caught:
        load_model(model, cut=("other",))
    assert "only" in present(caught.value.hint)
