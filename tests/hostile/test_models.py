"""Models from strangers: refused with one clear error, whatever they try, and no code of theirs runs."""

from __future__ import annotations

import json
import pickle
import stat
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from tests.conftest import Run
from tflite_compress.models.load import load_model
from tflite_compress.models.sandboxed_load import is_suspicious
from tflite_compress.support.errors import ModelError

MARK = "/tmp/tflite-compress-code-ran"


class Evil:
    """A pickle that leaves a mark when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (MARK, "w")


@pytest.fixture(autouse=True)
def nothing_ran() -> Any:
    Path(MARK).unlink(missing_ok=True)
    yield
    assert not Path(MARK).exists()


def repacked(
    source: Path, target: Path, change: Callable[[str, bytes], bytes] = lambda name, content: content
) -> Path:
    """A copy of a .keras archive with changed members."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target


def with_config(digits: Path, target: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    def change(name: str, content: bytes) -> bytes:
        if name != "config.json":
            return content
        config = json.loads(content)
        edit(config)
        return json.dumps(config).encode()

    return repacked(digits, target, change)


def layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(la["config"] for la in config["config"]["layers"] if la["config"]["name"] == name)


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt", "a/../../outside.txt", "..\\outside"])
def test_members_outside_the_archive(digits: Path, tmp_path: Path, name: str) -> None:
    path = repacked(digits, tmp_path / "slip.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "x")
    with pytest.raises(ModelError, match="points outside"):
        load_model(path)


def test_links_in_an_archive(digits: Path, tmp_path: Path) -> None:
    path = repacked(digits, tmp_path / "link.keras")
    info = zipfile.ZipInfo("assets/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ModelError, match="is a link"):
        load_model(path)


def test_a_zip_bomb(digits: Path, tmp_path: Path) -> None:
    path = repacked(digits, tmp_path / "bomb.keras")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/zeros", bytes(200 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ModelError, match=r"claims 209,715,200 bytes"):
        load_model(path)


def test_many_members(digits: Path, tmp_path: Path) -> None:
    path = repacked(digits, tmp_path / "many.keras")
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(10_001):
            archive.writestr(f"assets/{number}", "")
    with pytest.raises(ModelError, match="members"):
        load_model(path)


def weights_of(digits: Path, folder: Path) -> Path:
    with zipfile.ZipFile(digits) as archive:
        archive.extract("model.weights.h5", folder)
    return folder / "model.weights.h5"


@pytest.mark.parametrize("how", ["claims", "external file", "external link"])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_hdf5_with_external_links_or_false_sizes_is_refused(
    digits: Path, keras2: ModuleType, tmp_path: Path, how: str, suffix: str
) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(400))
    path = tmp_path / f"model.{suffix}"
    if suffix == "h5":
        keras2.Sequential([keras2.Input((4,)), keras2.layers.Dense(2)]).save(path)
        weights = path
    else:
        weights = weights_of(digits, tmp_path)
    with h5py.File(weights, "a") as file:
        if how == "claims":
            file.create_dataset("huge", (10**10,), "f4", chunks=(1024,))
        elif how == "external file":
            file.create_dataset("read", (100,), "f4", external=[(str(secret), 0, 400)])
        else:
            file["read"] = h5py.ExternalLink(str(secret), "/x")
    if suffix == "keras":
        changed = weights.read_bytes()
        repacked(digits, path, lambda name, content: changed if name.endswith(".h5") else content)
    with pytest.raises(ModelError, match=r"claims 40,000,000,000|another file"):
        load_model(path)


@pytest.mark.parametrize("where", ["model.weights.npz", "assets/state.pkl", "variables.pkl"])
def test_pickles_in_an_archive_are_never_loaded(digits: Path, tmp_path: Path, where: str) -> None:
    def change(name: str, content: bytes) -> bytes:
        return content

    path = repacked(digits, tmp_path / "pickle.keras", change)
    with zipfile.ZipFile(path, "a") as archive:
        if where.endswith("npz"):
            np.savez(tmp_path / "evil.npz", x=np.array([Evil()], dtype=object))
            archive.write(tmp_path / "evil.npz", where)
        else:
            archive.writestr(where, pickle.dumps(Evil()))
    if where.endswith("npz"):
        load_model(path)  # nothing refers to it, so it stays unread; the fixture sees that nothing ran
        return
    with pytest.raises(ModelError, match="is a pickle, which carries code"):
        load_model(path)


def test_object_arrays_as_weights(digits: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", x=np.array([Evil()], dtype=object))
    path = tmp_path / "evil.keras"
    with zipfile.ZipFile(digits) as old, zipfile.ZipFile(path, "w") as new:
        for name in ("config.json", "metadata.json"):
            new.writestr(name, old.read(name))
        new.write(tmp_path / "evil.npz", "model.weights.npz")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(path)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(
            lambda config: layer(config, "hidden").update(units=2_500_000_000), marks=pytest.mark.slow
        ),
        pytest.param(
            lambda config: layer(config, "conv_2").update(filters=60_000, kernel_size=[300, 300]),
            marks=pytest.mark.slow,
        ),
        # TensorFlow waits 20 s for memory to become free before it gives up.
        pytest.param(lambda config: layer(config, "conv_1").update(filters=10**15), marks=pytest.mark.slow),
    ],
)
def test_ten_gigabytes_claimed_by_a_layer(
    run: Run, digits: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], None]
) -> None:
    path = with_config(digits, tmp_path / "huge.keras", edit)
    start = time.monotonic()
    code, _, err = run("compress", path, "--device=android-gpu", f"--out={tmp_path / 'out'}")
    assert code == 2 and str(path) in err and "Traceback" not in err
    assert time.monotonic() - start < 120 and not (tmp_path / "out").exists()


def test_huge_layers_and_many_layers_are_suspicious(digits: Path) -> None:
    with zipfile.ZipFile(digits) as archive:
        config = json.loads(archive.read("config.json"))
    assert not is_suspicious(config)
    layer(config, "hidden")["units"] = 10**9
    assert is_suspicious(config)
    nested: dict[str, Any] = {"class_name": "Dense", "config": {"units": 3}}
    assert is_suspicious({"layers": [nested] * 30_000}) and not is_suspicious({"layers": [nested] * 100})


@pytest.mark.slow
def test_a_large_real_model_only_pays_with_a_trial(keras: ModuleType, tmp_path: Path) -> None:
    inputs = keras.Input((128, 128, 3))
    flat = keras.layers.Flatten()(keras.layers.Conv2D(1024, 3, strides=32)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(8)(flat))
    config = json.loads(model.to_json())
    assert is_suspicious(config)
    model.save(tmp_path / "real.keras")
    assert load_model(tmp_path / "real.keras").network.parameter_count() == model.count_params()


def replaced_config(text: bytes, name: str, content: bytes) -> bytes:
    """Return the content of a file of the archive, or the text in place of the model's configuration."""
    return text if name == "config.json" else content


def test_configurations_that_are_no_configurations(digits: Path, tmp_path: Path) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    for number, text in enumerate((b"null", b"[]", b"{", b"\xff\xfe", deep, b'{"config": 5}', b"{}")):
        path = repacked(
            digits,
            tmp_path / f"{number}.keras",
            partial(replaced_config, text),
        )
        with pytest.raises(ModelError) as caught:
            load_model(path)
        assert caught.value.hint


def saved(folder: Path) -> Path:
    from tflite_compress.support.backend import tensorflow

    tf = tensorflow()
    module = tf.Module()
    module.w = tf.Variable(tf.ones((4, 2)))
    module.f = tf.function(lambda x: x @ module.w, input_signature=[tf.TensorSpec([None, 4])])
    tf.saved_model.save(module, str(folder), signatures=module.f)
    return folder


def test_a_link_in_a_saved_model(tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved")
    (folder / "assets").mkdir(exist_ok=True)
    (folder / "assets" / "passwords").symlink_to("/etc/passwd")
    with pytest.raises(ModelError, match="a link"):
        load_model(folder)


@pytest.mark.slow
def test_a_constant_that_claims_ten_gigabytes(tmp_path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    folder = saved(tmp_path / "saved")
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((folder / "saved_model.pb").read_bytes())
    node = model.meta_graphs[0].graph_def.node.add(name="huge", op="Const")
    node.attr["dtype"].type = 1
    tensor = node.attr["value"].tensor
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=2_500_000_000)
    tensor.float_val.append(1.0)
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"'huge' of shape \[2500000000\]: claims 10,000,000,000 bytes"):
        load_model(folder)


@pytest.mark.slow
def test_a_program_that_fills_memory_or_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tflite_compress.models import sandboxed_load
    from tflite_compress.support.backend import tensorflow

    tf = tensorflow()
    module = tf.Module()
    module.f = tf.function(
        lambda x: x + tf.reduce_sum(tf.fill([tf.cast(tf.reduce_sum(x * 0), tf.int32) + 10**9, 40], 1.0)),
        input_signature=[tf.TensorSpec([None, 4])],
    )
    tf.saved_model.save(module, str(tmp_path / "filling"), signatures=module.f)
    with pytest.raises(ModelError, match=r"cannot be loaded|crashes"):
        load_model(tmp_path / "filling")
    module.f = tf.function(
        lambda x: tf.while_loop(lambda i: i < 10**12, lambda i: i + 1.0, [tf.reduce_sum(x)])[0],
        input_signature=[tf.TensorSpec([None, 4])],
    )
    tf.saved_model.save(module, str(tmp_path / "endless"), signatures=module.f)
    monkeypatch.setattr(sandboxed_load, "SECONDS", 15)
    with pytest.raises(ModelError, match="did not finish in 15 s"):
        load_model(tmp_path / "endless")
