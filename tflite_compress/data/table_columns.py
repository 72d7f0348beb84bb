"""Read columns of CSV and Parquet files as arrays; a cell that cannot be read is named by line and column."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.data.class_numbers import is_number
from tflite_compress.support.errors import DataError, closest

if TYPE_CHECKING:
    from pandas import DataFrame, Series

SEPARATORS = ",;\t"
PARQUET = ".parquet"
SHOWN = 12  # names of columns in a hint


@dataclass(frozen=True)
class Columns:
    """Columns of a table.

    Attributes:
        origin: The file.
        numbers: The columns of the inputs, shape (rows, columns), float64; NaN for empty cells, if accepted.
        texts: Other columns by name: text as objects, or numbers as float64.
        first: Number of the first row, as an editor (line) or a library (row) counts.
        unit: ``line`` in a CSV file, ``row`` in a Parquet file.
    """

    origin: str
    numbers: np.ndarray
    texts: dict[str, np.ndarray]
    first: int
    unit: str

    def place(self, row: int, column: str) -> str:
        """Return file, line and column of a cell for messages."""
        return f"{self.origin}: {self.unit} {self.first + row:,}, column '{column}'"


def read_header(path: Path) -> tuple[str, ...]:
    """Return the names of the columns.

    Raises:
        DataError: The file is missing, damaged or empty, or begins with numbers.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file", "Check the path of the data.")
    names = (
        _parquet_names(path) if path.suffix == PARQUET else tuple(map(str, _frame(path, [], rows=0).columns))
    )
    if not names:
        raise DataError(f"{path}: has no columns", "Give a table with a column per input.")
    if all(map(is_number, names)):
        raise DataError(f"{path}: line 1 has numbers, not names of columns", "Add a first line with names.")
    return names


def require_columns(wanted: Sequence[str], header: Sequence[str], origin: str) -> None:
    """Refuse names of columns that a table does not have.

    Raises:
        DataError: A column is missing.
    """
    for name in wanted:
        if name not in header:
            shown = ", ".join(header[:SHOWN]) + (", ..." if len(header) > SHOWN else "")
            raise DataError(f"{origin}: no column '{name}'.{closest(name, header)}", f"It has {shown}.")


def read_columns(path: Path, inputs: Sequence[str], texts: Sequence[str], accepts_nan: bool) -> Columns:
    """Read some columns of a table.

    Args:
        path: The file.
        inputs: Columns of numbers.
        texts: Columns of numbers or text, such as labels.
        accepts_nan: Empty cells of the inputs are NaN; otherwise they are an error.

    Raises:
        DataError: The file is damaged or has no rows, or a cell is empty or is not a number.
    """
    frame = _frame(path, [*dict.fromkeys((*inputs, *texts))], texts)
    is_csv = path.suffix != PARQUET
    if is_csv:  # blank lines are kept so that rows have the numbers of lines; the last ones do not count
        used = np.flatnonzero((frame.notna() & (frame != "")).any(axis=1).to_numpy())
        frame = frame.iloc[: used[-1] + 1 if len(used) else 0]
    if not len(frame):
        raise DataError(f"{path}: has no rows", "Give a table with a row per sample or per time step.")
    empty = np.empty((len(frame), len(inputs)))
    found = Columns(str(path), empty, {}, 2 if is_csv else 1, "line" if is_csv else "row")
    for number, name in enumerate(inputs):
        empty[:, number] = _numbers(frame[name], name, found, accepts_nan)
    found.texts.update({name: _texts(frame[name], name, found) for name in texts})
    return found


def _parquet_names(path: Path) -> tuple[str, ...]:
    import pyarrow
    import pyarrow.parquet

    try:
        return tuple(map(str, pyarrow.parquet.read_schema(path).names))
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read ({reason})", "Save the table again.") from error


def _frame(path: Path, columns: list[str], texts: Sequence[str] = (), rows: int | None = None) -> DataFrame:
    """Read a table with pandas, of a CSV file all columns, so that lines with too many cells are noticed."""
    import pandas as pd

    try:
        if path.suffix == PARQUET:
            return pd.read_parquet(path, columns=columns or None)
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            return _csv_frame(path, columns, texts, rows)
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path}: is empty", "Give a table with a line of column names.") from error
    except pd.errors.ParserWarning as error:
        raise DataError(
            f"{path}: lines have more cells than line 1 has names", "Name all columns."
        ) from error
    except (ValueError, OSError, EOFError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: cannot be read ({reason})", "Save the table again.") from error


def _csv_frame(path: Path, columns: list[str], texts: Sequence[str], rows: int | None) -> DataFrame:
    """Read a CSV file. In columns of text, words such as NA stay as they are."""
    import pandas as pd

    separator, decimal = _dialect(path)
    return pd.read_csv(
        path,
        sep=separator,
        decimal=decimal,
        index_col=False,
        nrows=rows,
        skip_blank_lines=False,
        encoding="utf-8-sig",
        dtype=dict.fromkeys(texts, str),
        keep_default_na=False,
        na_values={name: ["", "nan", "NaN", "NA", "null"] for name in columns if name not in texts},
        skipinitialspace=True,
        low_memory=False,
    )


def _dialect(path: Path) -> tuple[str, str]:
    """Return the separator of cells and that of decimals, from the first two lines."""
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8-sig") as file:
        header, first = str(file.readline()), str(file.readline())
    separator = max(SEPARATORS, key=header.count)
    return separator, "," if separator != "," and "," in first and "." not in first else "."


def _numbers(cells: Series, name: str, table: Columns, accepts_nan: bool) -> np.ndarray:
    """Return a column as float64, shape (rows,)."""
    import pandas as pd

    if cells.dtype.kind in "mM":
        raise DataError(f"{table.origin}: column '{name}' has times, not numbers", _CHOOSE)
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    is_text = np.isnan(numbers) & cells.notna().to_numpy()
    if is_text.any():
        first = int(np.argmax(is_text))
        if is_text.sum() == cells.notna().sum():
            raise DataError(
                f"{table.origin}: column '{name}' has text, such as '{cells.iloc[first]}'", _CHOOSE
            )
        raise DataError(
            f"{table.place(first, name)}: '{cells.iloc[first]}' is not a number",
            "Correct this cell, or remove its row.",
        )
    bad = np.isinf(numbers) if accepts_nan else ~np.isfinite(numbers)
    if bad.any():
        first = int(np.argmax(bad))
        problem = "is infinite" if np.isinf(numbers[first]) else "is empty"
        raise DataError(f"{table.place(first, name)} {problem}", "Fill in this cell, or remove its row.")
    return np.asarray(numbers, np.float64)


_CHOOSE = "Name the columns of numbers that the model takes: --columns=NAME,...; or the label: --label=NAME."


def _texts(cells: Series, name: str, table: Columns) -> np.ndarray:
    """Return a column of labels as float64 if all its cells are numbers, else as text."""
    import pandas as pd

    words = cells.astype(str).str.strip()
    empty = (cells.isna() | (words == "")).to_numpy()
    if empty.any():
        first = int(np.argmax(empty))
        raise DataError(f"{table.place(first, name)} is empty", "Fill in this cell, or remove its row.")
    numbers = pd.to_numeric(cells if cells.dtype.kind in "biuf" else words, errors="coerce")
    if numbers.notna().all():
        return np.asarray(numbers.to_numpy(np.float64), np.float64)
    if numbers.notna().sum() * 2 > len(numbers):
        first = int(np.argmax(numbers.isna().to_numpy()))
        raise DataError(
            f"{table.place(first, name)}: '{words.iloc[first]}' is not a number, as most cells are",
            "Correct this cell, or remove its row.",
        )
    return np.asarray(words.to_numpy(object), object)
