"""Loading a model: the loader is chosen by what the file is, not by what it is called."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite_compress.models.bridge import to_tf_keras
from tflite_compress.models.containers import (
    require_sound_archive,
    require_sound_folder,
    require_sound_hdf5,
)
from tflite_compress.models.copying import in_float32
from tflite_compress.models.graph import is_functional, replay
from tflite_compress.models.network import Network, TensorSpec, keras_network
from tflite_compress.models.safety import (
    parse_config,
    require_known_classes,
    require_no_code,
    require_no_code_ops,
)
from tflite_compress.models.sandboxed_load import require_loadable, suspicious
from tflite_compress.support.backend import keras3, tensorflow, tf_keras
from tflite_compress.support.errors import ModelError, UsageError

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CONFIG_LIMIT_BYTES = 256 * 2**20
WEIGHTS = "model.weights.h5"
# What zipfile, zlib and h5py raise on damaged files; RuntimeError is h5py's, and zipfile's for encryption.
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, KeyError, ValueError),
)


@dataclass(frozen=True)
class Source:
    """A loaded model and where it came from.

    Attributes:
        network: The model, as an editable tf_keras network wherever that is possible.
        origin: Its path, or ``<Keras model object>``.
        format: ``keras``, ``h5``, ``saved_model`` or ``object``, with the Keras version where known.
        sha256: Hash of the file or folder; of the weights for an object.
        loss: The name of the loss it was compiled with, if any.
    """

    network: Network
    origin: str
    format: str
    sha256: str
    loss: str | None


def load_model(
    model: Any,
    custom_objects: dict[str, Any] | None = None,
    trust: bool = False,
    custom_reference: str | None = None,
) -> Source:
    """Load ``.keras``, ``.h5`` or a SavedModel folder, or take a Keras model as it is.

    Args:
        model: A path, or a model object of Keras 2 (tf_keras) or Keras 3.
        custom_objects: Classes and functions by the name the file uses for them.
        trust: Load Lambda layers and other code from the file.
        custom_reference: ``module:dict`` of the custom objects, if they came that way.

    Raises:
        ModelError: The file is missing, damaged, unsafe or not a model.
    """
    if not isinstance(model, str | os.PathLike):
        return _from_object(model)
    path = Path(model)
    if not trust and _needs_trial(path):
        require_loadable(path, custom_reference)
    return load_here(path, custom_objects or {}, trust)


def load_here(path: Path, custom_objects: dict[str, Any], trust: bool) -> Source:
    """Load a model file in this process; see :func:`load_model`."""
    kind = _sniff(path)
    loaders: dict[str, Callable[[Path, dict[str, Any], bool], tuple[Any, str]]] = {
        "keras": _load_keras_archive,
        "h5": _load_h5,
        "saved_model": _load_saved_model,
    }
    handle, version = loaders[kind](path, custom_objects, trust)
    network, loss = _describe(handle, path.stem)
    return Source(network, str(path), f"{kind} ({version})", hash_path(path), loss)


def resolve_reference(reference: str, option: str) -> Any:
    """Import what ``module:name`` refers to, looking in the current folder too.

    Raises:
        UsageError: There is no such module or name.
    """
    module_name, _, attribute = reference.partition(":")
    if not attribute:
        raise UsageError(f"{option}={reference}: expected module:name", "For example mymodule:function.")
    sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{option}={reference}: {error}",
            "Check the spelling, and run from the folder that holds the module.",
        ) from error
    finally:
        sys.path.remove(os.getcwd())


def hash_path(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file != path:
            digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _sniff(path: Path) -> str:
    """Tell the format of a model file or folder."""
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
    if head[4:8] == b"TFL3":
        raise ModelError(
            f"{path}: already a .tflite file, which can no longer be trained or quantized well",
            "Give the Keras model it was made from.",
        )
    raise ModelError(
        f"{path}: not a Keras model (neither a .keras archive nor HDF5)",
        "Give a .keras or .h5 file, or a SavedModel folder.",
    )


def _needs_trial(path: Path) -> bool:
    """True for what may ask for much more memory than its size shows: programs, and large claims."""
    kind = _sniff(path)
    if kind == "saved_model":
        return True
    config = _archive_config(path)[0] if kind == "keras" else _h5_config(path)[0]
    return suspicious(config)


def _load_keras_archive(path: Path, custom: dict[str, Any], trust: bool) -> tuple[Any, str]:
    config, version = _archive_config(path)
    library = tf_keras() if version.startswith("2") else keras3()
    return _scanned(path, config, library, custom, trust), f"Keras {version}"


def _archive_config(path: Path) -> tuple[dict[str, Any], str]:
    """Configuration and Keras version of a ``.keras`` archive, which was looked over."""
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


def _load_h5(path: Path, custom: dict[str, Any], trust: bool) -> tuple[Any, str]:
    config, version = _h5_config(path)
    library = keras3() if version.startswith("3") else tf_keras()
    return _scanned(path, config, library, custom, trust), f"Keras {version}"


def _h5_config(path: Path) -> tuple[dict[str, Any], str]:
    """Configuration and Keras version of an HDF5 file, which was looked over."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            require_sound_hdf5(file, path)
            text, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "2")
    except _BROKEN as error:
        raise ModelError(f"{path}: damaged or cut off ({error})", "Copy or save the model again.") from error
    if text is None:
        raise ModelError(
            f"{path}: holds weights but no model",
            "Save the whole model with model.save('model.keras'), not save_weights.",
        )
    return parse_config(text, path), version.decode() if isinstance(version, bytes) else str(version)


def _load_saved_model(path: Path, custom: dict[str, Any], trust: bool) -> tuple[Any, str]:
    tf = tensorflow()
    if not trust:
        require_no_code_ops(path)
        require_sound_folder(path)
    if (path / "keras_metadata.pb").exists():
        model = _guarded(path, tf_keras().models.load_model, custom, trust)
        if is_functional(model):
            return model, "Keras 2"
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        raise _load_error(path, error) from error
    signature = loaded.signatures.get("serving_default") or next(iter(loaded.signatures.values()), None)
    if signature is None:
        raise ModelError(f"{path}: has no serving signature", "Save it with model.export(folder).")
    signature._tflite_compress_owner = loaded  # the variables live as long as their owner does
    return signature, "graph"


def _scanned(path: Path, config: dict[str, Any], library: Any, custom: dict[str, Any], trust: bool) -> Any:
    """Load a model whose configuration was looked into; from a trusted file whatever Keras can."""
    if not trust:
        require_no_code(config, path, custom)
    try:
        return _guarded(path, library.models.load_model, custom, trust)
    except ModelError:
        require_known_classes(config, path, custom)
        raise


def _guarded(path: Path, load: Callable[..., Any], custom: dict[str, Any], trust: bool) -> Any:
    """Call a Keras loader; without its compile state if only that is at fault."""
    options: dict[str, Any] = {"custom_objects": custom}
    if path.is_file():
        options["safe_mode"] = not trust
    try:
        return load(str(path), **options)
    except Exception:
        try:
            return load(str(path), compile=False, **options)
        except Exception as error:
            raise _load_error(path, error) from error


def _load_error(path: Path, error: Exception) -> ModelError:
    text = " ".join(str(error).split())[:240] or type(error).__name__
    if "Unknown layer" in text or "Could not locate" in text or "Unknown " in text[:40]:
        step = "Pass the missing class with --custom-objects=module:dict."
    else:
        step = "The file may be damaged or from another Keras; save the model again."
    return ModelError(f"{path}: cannot be loaded: {text}", step)


def _from_object(model: Any) -> Source:
    if not hasattr(model, "weights") or not hasattr(model, "predict"):
        raise ModelError(
            f"a {type(model).__name__} is not a Keras model", "Give a path, or a keras or tf_keras model."
        )
    network, loss = _describe(model, model.name)
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(array.tobytes())
    return Source(network, "<Keras model object>", "object", digest.hexdigest(), loss)


def _describe(handle: Any, name: str) -> tuple[Network, str | None]:
    """Turn what a loader returned into a network, in tf_keras form if possible."""
    if not hasattr(handle, "trainable_weights"):
        return _signature_network(handle, name), None
    loss = _loss_name(getattr(handle, "loss", None))
    if isinstance(handle, tf_keras().Model):
        if not is_functional(handle):
            return keras_network(handle, name, False, "a subclassed model has no graph of layers"), loss
        flat = replay(handle, lambda call: call.layer(*call.args, **call.kwargs))
        return keras_network(in_float32(flat), name, True), loss
    try:
        bridged = to_tf_keras(handle)
    except ModelError as error:
        return keras_network(handle, name, False, error.message), loss
    return keras_network(in_float32(bridged), name, True), loss


def _signature_network(signature: Any, name: str) -> Network:
    specs = signature.structured_input_signature[1]
    inputs = tuple(TensorSpec(key, tuple(s.shape), s.dtype.name) for key, s in specs.items())
    outputs = tuple(
        TensorSpec(key, tuple(t.shape), t.dtype.name) for key, t in signature.structured_outputs.items()
    )
    return Network(
        name, signature, inputs, outputs, False, "a SavedModel without Keras layers is a fixed graph"
    )


def _loss_name(loss: Any) -> str | None:
    """Snake-case name of a compiled loss, whether given as text, object, list or dict."""
    if isinstance(loss, dict):
        loss = next(iter(loss.values()), None)
    if isinstance(loss, list | tuple):
        loss = loss[0] if loss else None
    if loss is None or isinstance(loss, str):
        return loss
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", type(loss).__name__))
