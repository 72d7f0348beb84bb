"""Tables: CSV and Parquet files with a row per sample, or with time series that are cut into windows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tflite_compress.data.file_source import FileSource, register_source
from tflite_compress.support.errors import DataError, UsageError
from tflite_compress.support.packages import require_extra

if TYPE_CHECKING:
    from tflite_compress.data.samples import RawData
    from tflite_compress.data.sources import ReadOptions
    from tflite_compress.models.network import TensorSpec

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".parquet")


@register_source
@dataclass(frozen=True)
class Table(FileSource):
    """A CSV or Parquet file with a row per sample, or with time series that are cut into windows.

    Attributes:
        label: Column with the labels: class names, class numbers from 0, or target values. Several columns
            are targets of a model with as many outputs. Default: no labels.
        columns: Columns with the inputs, in the model's order. Default: all except those of label and group.
        window: Rows per sample of a time series. A sample has the label that most of its rows have; of target
            values, that of its last row. Default: as many as the model's input has.
        stride: Rows from the start of a window to the start of the next. Default: the window, so that windows
            do not overlap.
        group: Column that tells recordings apart. No window crosses a change of its value.
        classes: Names of the classes in the order of the model's outputs. Default: in sorted order.
    """

    tag: ClassVar[str] = "table"
    described: ClassVar[str] = "a CSV or Parquet file"
    heading: ClassVar[str] = "CSV and Parquet files"
    is_general: ClassVar[bool] = True

    label: str | tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    window: int | None = None
    stride: int | None = None
    group: str | None = None
    classes: tuple[str, ...] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns with the labels; empty if there are none."""
        return (self.label,) if isinstance(self.label, str) else self.label or ()

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Return True for the suffixes of CSV and Parquet files."""
        return path.name.lower().endswith(SUFFIXES) and not path.is_dir()

    def check(self, expected: TensorSpec | None) -> None:
        """Check the names of the columns, and their number against the model's input.

        Raises:
            DataError: The file cannot be read, lacks a column, or does not fit the model.
            MissingPackageError: A package that reads it is not installed.
        """
        inputs = self._input_columns()
        if expected is not None:
            from tflite_compress.data.row_shapes import choose_shape

            self.require_window(choose_shape(expected, inputs, self.window, self.path)[0])

    def require_window(self, window: int | None) -> None:
        """Refuse a stride where each row is a sample.

        Raises:
            UsageError: There is a stride, and no window.
        """
        if self.stride is not None and window is None:
            raise UsageError(f"{self.path}: --stride={self.stride} without --window", "Give --window=N too.")

    def read(self, options: ReadOptions) -> dict[str, RawData]:
        """Read rows or windows in the shape of the model's input.

        Raises:
            DataError: The file cannot be read, lacks a column, has a cell that is no number, or does not fit
                the model.
            UsageError: The settings contradict each other.
        """
        from tflite_compress.data.table_samples import table_samples

        if len(options.input_names) > 1:
            raise DataError(
                f"{self.path}: a table has one input per row, the model has {len(options.input_names)}",
                "Give an .npz with an array per input, or module:function.",
            )
        return {"all": table_samples(self, self._input_columns(), options)}

    def _input_columns(self) -> tuple[str, ...]:
        """Return the columns with the inputs, after all names were compared with those in the file."""
        require_extra("tables", self.path)
        from tflite_compress.data.table_columns import read_header, require_columns

        header = read_header(Path(self.path))
        own = self.columns or ()
        apart = (*self.labels, *([self.group] if self.group else []))
        require_columns((*own, *apart), header, self.path)
        inputs = own or tuple(name for name in header if name not in apart)
        if both := sorted(set(own) & set(self.labels)):
            raise UsageError(
                f"{self.path}: '{both[0]}' is an input and the label", "Remove it from --columns."
            )
        if not inputs:
            raise DataError(f"{self.path}: no column is left for the inputs", "Add columns with the inputs.")
        return inputs
