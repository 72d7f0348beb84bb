"""How rows of a table become samples in the shape of a model's input."""

from __future__ import annotations

from collections.abc import Sequence

from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError
from tflite_compress.support.input_shape import show_shape

SHOWN = 6


def choose_shape(
    spec: TensorSpec, columns: Sequence[str], window: int | None, origin: str
) -> tuple[int | None, tuple[int, ...]]:
    """Choose the rows per sample and the shape of a sample.

    Dimensions of size 1 do not count. Rows fit an input (columns,); windows fit (rows, columns), (rows *
    columns,) and, of one column, (rows,). Without ``window``, the rows are those of an input (rows, columns),
    or (rows,) for one column.

    Args:
        spec: The model's input, shape (batch, ...).
        columns: The columns of the table that are inputs.
        window: Rows per sample, or None.
        origin: The file, for messages.

    Returns:
        Rows per window, None if each row is a sample; and the shape of a sample.

    Raises:
        DataError: Rows, or windows of them, do not fit the input.
    """
    shape, count = spec.shape[1:], len(columns)
    if window is None:
        if _fits(shape, (count,)):
            return None, _filled(shape, (count,))
        window = _rows(shape, count)
    if window is not None:
        for sizes in ((window, count), (window * count,)):
            if _fits(shape, sizes):
                return window, _filled(shape, sizes)
    raise _misfit(spec, columns, window, origin)


def _core(shape: Sequence[int | None]) -> list[int | None]:
    return [size for size in shape if size != 1]


def _fits(shape: Sequence[int | None], sizes: Sequence[int]) -> bool:
    core, wanted = _core(shape), _core(sizes)
    return len(core) == len(wanted) and all(a in (None, b) for a, b in zip(core, wanted, strict=True))


def _filled(shape: Sequence[int | None], sizes: Sequence[int]) -> tuple[int, ...]:
    wanted = iter(_core(sizes))
    return tuple(1 if size == 1 else next(wanted) or 1 for size in shape)


def _rows(shape: Sequence[int | None], count: int) -> int | None:
    """Return the rows of a window that an input declares, None if it does not."""
    core = _core(shape)
    if (len(core) == 2 and core[1] in (None, count)) or (len(core) == 1 and count == 1):
        return core[0]
    return None


def _misfit(spec: TensorSpec, columns: Sequence[str], window: int | None, origin: str) -> DataError:
    names = ", ".join(columns[:SHOWN]) + (", ..." if len(columns) > SHOWN else "")
    count = f"{len(columns)} column{'s' if len(columns) > 1 else ''} ({names})"
    samples = f"rows of {count}" if window is None else f"windows of {window} rows and {count}"
    shown = show_shape(spec.shape[1:])
    message = f"{origin}: {samples} do not fit input '{spec.name}', which takes {shown}"
    return DataError(message, _way_out(_core(spec.shape[1:]), len(columns), window))


def _way_out(core: list[int | None], count: int, window: int | None) -> str:
    choose = "columns with --columns=NAME,...; those of --label and --group are no inputs."
    if len(core) == 2:
        rows, columns = core
        if columns not in (None, count):
            return f"Choose {columns} {choose}"
        return f"Give --window={rows}." if rows else "Give --window=N, the rows per sample."
    if len(core) == 1 and core[0]:
        rows, rest = divmod(core[0], count)
        if rest == 0 and rows not in (1, window):
            return f"For windows of {rows} rows give --window={rows}; otherwise choose {core[0]} {choose}"
        return f"Choose {core[0]} {choose}"
    return "Give --preprocess=module:function, which computes the model's input from rows or windows."
