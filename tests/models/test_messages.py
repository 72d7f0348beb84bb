"""What is said of files that are not the models they seem to be."""

from __future__ import annotations

import contextlib
import json
import pickle
import zipfile
from pathlib import Path

import pytest

from tflite_compress.models.load import load_model
from tflite_compress.models.read_model import is_architecture, model_format
from tflite_compress.models.safety import require_known_classes
from tflite_compress.support.errors import ModelError
from tflite_compress.trees.load_forest import is_forest


def rewrite(source: Path, target: Path, **members: bytes) -> Path:
    """Write a copy of an archive with some members added or replaced: ``config_json`` is ``config.json``."""
    with zipfile.ZipFile(source) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files |= {name.replace("_", ".", 1): data for name, data in members.items()}
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target


def test_a_keras_archive_under_another_suffix_loads(digits: Path, tmp_path: Path) -> None:
    for name in ("digits.h5", "digits", "digits.hdf5"):
        path = tmp_path / name
        path.write_bytes(digits.read_bytes())
        source = load_model(str(path))
        assert source.format.startswith("keras") and source.origin == str(path)


def test_an_architecture_is_neither_a_forest_nor_a_model(digits: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    with zipfile.ZipFile(digits) as archive:
        path.write_bytes(archive.read("config.json"))
    assert is_architecture(path) and not is_forest(path)
    with pytest.raises(ModelError, match="architecture as JSON, without weights"):
        model_format(path)
    path.write_text(json.dumps({"learner": {}, "version": [2, 0, 0]}))
    assert not is_architecture(path) and is_forest(path)


def test_pickles_are_named_as_code(digits: Path, tmp_path: Path) -> None:
    path = rewrite(digits, tmp_path / "m.keras", model_pkl=pickle.dumps([1]))
    with pytest.raises(ModelError, match=r"member 'model\.pkl' is a pickle, which carries code") as caught:
        load_model(str(path))
    assert "--trust-model" in str(caught.value.hint)
    assert load_model(str(path), trust=True).network.editable
    for name in ("model.keras", "model.h5"):
        (tmp_path / name).write_bytes(pickle.dumps([1]))
        assert not is_forest(tmp_path / name)
        with pytest.raises(ModelError, match="a pickle, not a Keras model; opening it would run the code"):
            load_model(str(tmp_path / name))
    (tmp_path / "forest.pkl").write_bytes(pickle.dumps([1]))
    assert is_forest(tmp_path / "forest.pkl")


@pytest.mark.parametrize(
    ("saved", "hint"), [("3.99.0", "again with Keras 3"), ("3.0.0", "save the model again")]
)
def test_the_versions_of_keras_are_named(digits: Path, tmp_path: Path, saved: str, hint: str) -> None:
    with zipfile.ZipFile(digits) as archive:
        config = json.loads(archive.read("config.json"))
        metadata = json.loads(archive.read("metadata.json"))
    config["config"]["layers"][1]["config"]["from_the_future"] = 1
    members = {
        "config_json": json.dumps(config).encode(),
        "metadata_json": json.dumps({**metadata, "keras_version": saved}).encode(),
    }
    with pytest.raises(ModelError) as caught:
        load_model(str(rewrite(digits, tmp_path / "m.keras", **members)))
    assert f"saved by Keras {saved}, loaded by Keras 3" in caught.value.message
    assert hint in str(caught.value.hint)


def test_an_unknown_class_is_named(digits: Path, tmp_path: Path) -> None:
    """HDF5 files of Keras 2 name classes without their module."""
    import h5py

    path = tmp_path / "model.h5"
    layer = {"class_name": "SqueezeLayer", "config": {"name": "squeeze", "batch_input_shape": [None, 3]}}
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [layer]}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), "2.2.4"
        file.create_group("model_weights").attrs["layer_names"] = []
    with pytest.raises(ModelError, match="'SqueezeLayer' is a custom class or function") as caught:
        load_model(str(path))
    assert "maps 'SqueezeLayer' to it" in str(caught.value.hint)
    assert "https" not in caught.value.message


@pytest.mark.parametrize(("class_name", "known"), [("Constant", True), ("ops", False)])
def test_initializers_of_tensorflow_are_known_classes(tmp_path: Path, class_name: str, known: bool) -> None:
    config = {"class_name": class_name, "module": "tensorflow.python.ops.init_ops_v2", "config": {}}
    with contextlib.nullcontext() if known else pytest.raises(ModelError, match="custom class"):
        require_known_classes({"class_name": "Dense", "config": {"bias": config}}, tmp_path, {})
