"""NumPy archives: ``x`` and ``y``, named inputs and labels, or a training and a test part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tflite_compress.data.file_source import FileSource, register_source
from tflite_compress.support.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from tflite_compress.data.samples import RawData
    from tflite_compress.data.sources import ReadOptions
    from tflite_compress.models.network import TensorSpec


@register_source
@dataclass(frozen=True)
class NpzFile(FileSource):
    """An ``.npz`` file with arrays."""

    tag: ClassVar[str] = "npz"
    described: ClassVar[str] = "an .npz file"
    heading: ClassVar[str] = "NumPy archives"

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Return True for the suffix ``.npz``."""
        return path.suffix == ".npz" and not path.is_dir()

    def check(self, expected: TensorSpec | None) -> None:
        """Check the shapes of the inputs, from the headers of the arrays.

        Raises:
            DataError: The file is missing or damaged, or an array does not fit the input.
        """
        from tflite_compress.data.npz import read_npz_headers
        from tflite_compress.data.samples import checked_shape

        arrays = read_npz_headers(Path(self.path))
        for name in ("x", "x_train", "x_test"):
            if expected is not None and name in arrays and arrays[name][0][:1] != (0,):
                origin = f"{self.path}:{name.partition('_')[2]}" if "_" in name else self.path
                checked_shape(arrays[name][0], expected, origin)

    def read(self, options: ReadOptions) -> dict[str, RawData]:
        """Read all arrays.

        Raises:
            DataError: The file is missing or damaged, or has no input.
        """
        from tflite_compress.data.npz import read_npz
        from tflite_compress.data.samples import RawData

        arrays, path = read_npz(Path(self.path)), self.path
        if {"x_train", "x_test"} <= set(arrays):
            return {
                "train": RawData(arrays["x_train"], arrays.get("y_train"), f"{path}:train"),
                "eval": RawData(arrays["x_test"], arrays.get("y_test"), f"{path}:test"),
            }
        return {"all": _split_names(arrays, path)}


def _split_names(arrays: dict[str, np.ndarray], origin: str) -> RawData:
    """Separate inputs and labels by name: ``y``, ``y_NAME`` and ``y/NAME`` are labels."""
    from tflite_compress.data.samples import RawData

    labels = {name: a for name, a in arrays.items() if name == "y" or name.startswith(("y_", "y/"))}
    inputs = {name: a for name, a in arrays.items() if name not in labels}
    if not inputs:
        raise DataError(f"{origin}: no input array; it has {', '.join(arrays) or 'nothing'}", "Save x and y.")
    if set(labels) == {"y"}:
        return RawData(_named(inputs, "x"), labels["y"], origin)
    return RawData(_named(inputs, "x"), _named(labels, "y") or None, origin)


def _named(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name[2:] if name.startswith((f"{prefix}_", f"{prefix}/")) else name: a for name, a in arrays.items()
    }
