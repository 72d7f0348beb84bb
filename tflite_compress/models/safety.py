"""Scan a model file for code before it is loaded.

Keras refuses Lambda layers in ``.keras`` files but not in HDF5 files, and a SavedModel is a program. The scan
reads only JSON and protocol buffers. It runs nothing from the file.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tflite_compress.models.keras_types import Config, CustomObjects
from tflite_compress.support.errors import ModelError

# TensorFlow operations that call back into Python or touch files; no model needs them to infer.
_CODE_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles"})
PICKLE_HEADS = (  # of a pickle of protocol 2 to 5, plain or compressed by joblib
    *(b"\x80" + bytes([protocol]) for protocol in range(2, 6)),
    *(b"\x78" + bytes([level]) for level in (0x01, 0x5E, 0x9C, 0xDA)),
    *(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x04\x22\x4d\x18", b"\x5d\x00\x00"),
)
PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib")
KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
_OWN_MODULES = re.compile(r"(keras|tf_keras|tensorflow\.keras|tensorflow\.python\.keras)(\.|$)")
_TENSORFLOW_INITIALIZERS = re.compile(  # as in EfficientNetV2 of Keras 2
    r"tensorflow\.python\.ops\.init_ops_v2\."
    r"(Constant|Zeros|Ones|Identity|Orthogonal|RandomNormal|RandomUniform|TruncatedNormal|VarianceScaling)$"
)


def require_no_code(config: Config, path: Path, custom_objects: CustomObjects) -> None:
    """Refuse a Keras configuration that contains code or unknown classes.

    Args:
        config: The model's decoded JSON configuration.
        path: The file, for the error message.
        custom_objects: Classes and functions that the user trusts, by name.

    Raises:
        ModelError: The configuration contains a Lambda layer or an unknown class.
    """
    for node in _nodes(config):
        if node["class_name"] in ("Lambda", "__lambda__"):
            raise ModelError(
                f"{path}: layer '{_name(node)}' is a Lambda layer, which contains code that would run",
                "If you trust the source of the file, pass --trust-model.",
            )
    require_known_classes(config, path, custom_objects)


def require_known_classes(config: Config, path: Path, custom_objects: CustomObjects) -> None:
    """Refuse a Keras configuration with classes that neither Keras nor ``custom_objects`` has.

    Args:
        config: The model's decoded JSON configuration.
        path: The file, for the error message.
        custom_objects: Classes and functions that the user trusts, by name.

    Raises:
        ModelError: The configuration contains an unknown class.
    """
    for node in _nodes(config):
        class_name, module = str(node["class_name"]), str(node.get("module") or "keras")
        registered = str(node.get("registered_name"))
        known = {class_name, registered, registered.split(">")[-1]} & set(custom_objects)
        # Functions are named by string in the module "builtins"; anything else in it would be code.
        own = _OWN_MODULES.match(module) or (module, class_name) == ("builtins", "function")
        initializer = _TENSORFLOW_INITIALIZERS.match(f"{module}.{class_name}")
        if not known and not own and not initializer:
            raise ModelError(
                f"{path}: '{_name(node)}' is of the custom class {module}.{class_name}",
                f"Pass --custom-objects=module:dict, where the dict maps '{class_name}' to the class.",
            )


def require_no_pickles(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse an archive that holds a pickle.

    Raises:
        ModelError: A member is a pickle.
    """
    for member in archive.infolist():
        with archive.open(member) as stream:
            head = stream.read(2)
        plain = head[:1] == b"\x80" and head in PICKLE_HEADS
        if plain or member.filename.lower().endswith(PICKLE_SUFFIXES):
            raise ModelError(
                f"{path}: its member '{member.filename[:80]}' is a pickle, which carries code that would run",
                "If you trust the source of the file, pass --trust-model.",
            )


def require_no_code_ops(folder: Path) -> None:
    """Refuse a SavedModel whose graph calls Python, or reads or writes files.

    Raises:
        ModelError: The graph contains such an operation, or the file cannot be read.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    except Exception as error:
        raise ModelError(
            f"{folder}: saved_model.pb cannot be read ({type(error).__name__})",
            "The file is damaged or cut off; save the model again.",
        ) from error
    for meta in saved.meta_graphs:
        nodes = [*meta.graph_def.node, *(n for f in meta.graph_def.library.function for n in f.node_def)]
        for node in nodes:
            if node.op in _CODE_OPS:
                raise ModelError(
                    f"{folder}: operation '{node.name}' ({node.op}) runs code or opens files",
                    "If you trust the source of the model, pass --trust-model.",
                )
    metadata = folder / "keras_metadata.pb"
    if metadata.exists() and re.search(rb'"class_name":\s*"Lambda"', metadata.read_bytes()):
        raise ModelError(
            f"{folder}: it holds a Lambda layer, which contains code that would run",
            "If you trust the source of the model, pass --trust-model.",
        )


def parse_config(text: str | bytes, path: Path) -> Config:
    """Decode a model's JSON configuration.

    Raises:
        ModelError: The text is not a JSON object.
    """
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: its configuration is not valid JSON", "Save the model again.") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path}: its configuration is not a model", "Save the model again.")
    return config


def _name(node: Config) -> str:
    """Return the name of the layer that a configuration node describes, or of its class."""
    inner = node.get("config")
    return str(inner.get("name", node["class_name"]) if isinstance(inner, dict) else node["class_name"])


def _nodes(value: object) -> Iterator[Config]:
    """Yield every dictionary with a ``class_name`` inside ``value``, without recursion."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
