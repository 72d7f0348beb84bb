"""Read a model file in this process: the content decides the format, not the file name."""

from __future__ import annotations

import contextlib
import functools
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tflite_compress.models.compile_state import COMPILE_STATE, compiled_loss, without_compile_state
from tflite_compress.models.containers import (
    require_sound_archive,
    require_sound_folder,
    require_sound_hdf5,
)
from tflite_compress.models.graph import is_functional
from tflite_compress.models.keras_errors import load_error, with_versions
from tflite_compress.models.keras_types import Config, CustomObjects
from tflite_compress.models.safety import (
    PICKLE_HEADS,
    parse_config,
    require_known_classes,
    require_no_code,
    require_no_code_ops,
    require_no_pickles,
)
from tflite_compress.models.source import Source, describe_model
from tflite_compress.models.tfmot_wrappers import wrapper_objects
from tflite_compress.support.backend import keras3, tensorflow, tf_keras
from tflite_compress.support.errors import ModelError
from tflite_compress.support.file_manifest import hash_path

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CONFIG_LIMIT_BYTES = 256 * 2**20
WEIGHTS = "model.weights.h5"
Loaded = tuple[object, str, str | None]  # the model, the Keras version, and the name of the compiled loss
# What zipfile, zlib and h5py raise on damaged files; RuntimeError is h5py's, and zipfile's for encryption.
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, KeyError, ValueError),
)


def read_model(path: Path, custom_objects: CustomObjects, trust: bool, cut: Sequence[str] = ()) -> Source:
    """Load a model file in this process.

    Args:
        path: A ``.keras`` or HDF5 file, or a SavedModel folder.
        custom_objects: Classes and functions by the name the file uses for them.
        trust: Load Lambda layers and other code from the file.
        cut: Names of layers to cut off the start.

    Raises:
        ModelError: The file is missing, damaged, unsafe or not a model.
    """
    kind = model_format(path)
    loaders: dict[str, Callable[[Path, CustomObjects, bool], Loaded]] = {
        "keras": _load_keras_archive,
        "h5": _load_h5,
        "saved_model": _load_saved_model,
    }
    handle, version, loss = loaders[kind](path, custom_objects, trust)
    found = describe_model(handle, path.stem, cut)
    file_format = f"{kind} ({version})"
    return Source(found.network, str(path), file_format, hash_path(path), found.loss or loss, found.notes)


def model_format(path: Path) -> str:
    """Return the format of a model file or folder: ``keras``, ``h5`` or ``saved_model``.

    Raises:
        ModelError: The path does not exist or is not a Keras model.
    """
    if not path.exists():
        raise ModelError(f"{path}: no such file or folder", "Check the path of the model.")
    if path.is_dir():
        if (path / "saved_model.pb").exists():
            return "saved_model"
        raise ModelError(
            f"{path}: a folder without saved_model.pb is not a SavedModel",
            "Give a .keras or .h5 file or the folder that holds saved_model.pb.",
        )
    with path.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(b"PK"):
        return "keras"
    if head == _HDF5_SIGNATURE:
        return "h5"
    if head.startswith(PICKLE_HEADS):
        raise ModelError(
            f"{path}: a pickle, not a Keras model; opening it would run the code in it",
            "Save the model with model.save('model.keras').",
        )
    if is_architecture(path):
        raise ModelError(
            f"{path}: a model's architecture as JSON, without weights",
            "Save the whole model with model.save('model.keras'), not to_json.",
        )
    if head[4:8] == b"TFL3":
        raise ModelError(
            f"{path}: already a .tflite file, which can no longer be trained or quantized well",
            "Give the Keras model it was made from.",
        )
    raise ModelError(
        f"{path}: not a Keras model (neither a .keras archive nor HDF5)",
        "Give a .keras or .h5 file, or a SavedModel folder.",
    )


def is_architecture(path: Path) -> bool:
    """Return True if a file is the JSON that a Keras model's ``to_json`` gives."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    return re.match(rb'\s*\{\s*"(class_name|module|config|backend|keras_version)"\s*:', head) is not None


def _load_keras_archive(path: Path, custom: CustomObjects, trust: bool) -> Loaded:
    if not trust:
        _require_no_pickles(path)
    config, version = archive_config(path)
    library = tf_keras() if version.startswith("2") else keras3()
    with _named(path, (".keras",)) as file:
        model = _scanned(path, file, config, version, library, custom, trust)
    return model, f"Keras {version}", compiled_loss(config)


def _require_no_pickles(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            require_sound_archive(archive, path)
            require_no_pickles(archive, path)
    except _BROKEN as error:
        raise ModelError(f"{path}: damaged or cut off ({error})", "Copy or save the model again.") from error


@contextlib.contextmanager
def _named(path: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yield a path of a file with the suffix of its format: Keras chooses its reader by the suffix."""
    if path.suffix in suffixes:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as folder:
        link = Path(folder) / f"{path.stem}{suffixes[0]}"
        link.symlink_to(path.resolve())
        yield link


def archive_config(path: Path) -> tuple[Config, str]:
    """Validate a ``.keras`` archive and return its configuration and Keras version.

    Raises:
        ModelError: The archive is damaged or unsafe.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            require_sound_archive(archive, path)
            names = archive.namelist()
            if "config.json" not in names:
                raise ModelError(f"{path}: a zip file, but not a Keras model", "Give a .keras file.")
            if archive.getinfo("config.json").file_size > _CONFIG_LIMIT_BYTES:
                raise ModelError(f"{path}: its configuration claims over 256 MB", "Save the model again.")
            config = parse_config(archive.read("config.json"), path)
            metadata = parse_config(archive.read("metadata.json"), path) if "metadata.json" in names else {}
            if WEIGHTS in names:
                _require_sound_weights(archive, path)
    except _BROKEN as error:
        raise ModelError(f"{path}: damaged or cut off ({error})", "Copy or save the model again.") from error
    return config, str(metadata.get("keras_version", "3"))


def _require_sound_weights(archive: zipfile.ZipFile, path: Path) -> None:
    import h5py

    with archive.open(WEIGHTS) as stream, h5py.File(stream, "r") as file:
        require_sound_hdf5(file, path)


def _load_h5(path: Path, custom: CustomObjects, trust: bool) -> Loaded:
    config, version = h5_config(path)
    library = keras3() if version.startswith("3") else tf_keras()
    with _named(path, (".h5", ".hdf5")) as file:
        model = _scanned(path, file, config, version, library, custom, trust)
    return model, f"Keras {version}", compiled_loss(config)


def h5_config(path: Path) -> tuple[Config, str]:
    """Validate an HDF5 file and return its configuration and Keras version.

    Raises:
        ModelError: The file is damaged, unsafe, or has no model.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            require_sound_hdf5(file, path)
            text, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "2")
            training = file.attrs.get("training_config")
    except _BROKEN as error:
        raise ModelError(f"{path}: damaged or cut off ({error})", "Copy or save the model again.") from error
    if text is None:
        raise ModelError(
            f"{path}: holds weights but no model",
            "Save the whole model with model.save('model.keras'), not save_weights.",
        )
    config = parse_config(text, path)
    if training is not None:
        config[COMPILE_STATE] = parse_config(training, path)
    return config, version.decode() if isinstance(version, bytes) else str(version)


def require_sound_saved_model(path: Path) -> None:
    """Refuse a SavedModel that runs code, has links, or claims more bytes than it stores. Nothing of it runs.

    Raises:
        ModelError: It is damaged or unsafe.
    """
    tensorflow()
    require_no_code_ops(path)
    require_sound_folder(path)


def _load_saved_model(path: Path, custom: CustomObjects, trust: bool) -> Loaded:
    tf = tensorflow()
    if not trust:
        require_sound_saved_model(path)
    if (path / "keras_metadata.pb").exists():
        wrappers = wrapper_objects((path / "keras_metadata.pb").read_bytes().decode("latin-1"))
        model = _guarded(path, tf_keras().models.load_model, {**wrappers, **custom}, trust)
        if is_functional(model):
            return model, "Keras 2", None
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        raise load_error(path, error) from error
    signature = loaded.signatures.get("serving_default") or next(iter(loaded.signatures.values()), None)
    if signature is None:
        raise ModelError(f"{path}: has no serving signature", "Save it with model.export(folder).")
    signature._tflite_compress_owner = loaded  # the variables live as long as their owner does
    return signature, "graph", None


def _scanned(
    path: Path, file: Path, config: Config, saved: str, library: Any, custom: CustomObjects, trust: bool
) -> object:
    """Load a model after its configuration was scanned for code; a trusted file is not scanned.

    Args:
        path: The model, as the user named it.
        file: The same file under a name with the suffix that Keras expects.
        config: The model's configuration.
        saved: Version of Keras that saved it.
        library: Keras 2 or Keras 3.
        custom: Custom objects by name.
        trust: Load code from the file.
    """
    config = without_compile_state(config)
    custom = {**wrapper_objects(config), **custom}
    if not trust:
        require_no_code(config, path, custom)
    try:
        return _guarded(path, functools.partial(_load_from, file, library), custom, trust)
    except ModelError as error:
        require_known_classes(config, path, custom)
        raise with_versions(error, saved, library.__version__) from error


def _load_from(file: Path, library: Any, path: str, **options: object) -> object:
    return library.models.load_model(str(file), **{**options, "compile": False})


def _guarded(path: Path, load: Callable[..., object], custom: CustomObjects, trust: bool) -> object:
    """Call a Keras loader; if that fails, call it again without the compile state."""
    options: dict[str, object] = {"custom_objects": dict(custom)}
    if path.is_file():
        options["safe_mode"] = not trust
    try:
        return load(str(path), **options)
    except Exception:
        try:
            return load(str(path), compile=False, **options)
        except Exception as error:
            raise load_error(path, error) from error
