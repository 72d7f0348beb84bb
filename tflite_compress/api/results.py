"""``report`` and ``repeat``: show results that were written earlier, and run them again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tflite_compress.api.library_call import ProgressCallback, library_call
from tflite_compress.support.errors import UsageError

if TYPE_CHECKING:
    from tflite_compress.compression.options import Result


def report(*folders: str | os.PathLike[str], html: str | os.PathLike[str] | None = None) -> str:
    """Return results as Markdown: one in full, several side by side.

    Args:
        folders: Folders that :func:`compress` or :func:`search` wrote.
        html: Also write a self-contained HTML page into this file.

    Returns:
        The Markdown.

    Raises:
        UsageError: No folder is given, or one holds no result.
        OutputError: The page cannot be written.

    Examples:
        >>> import tempfile
        >>> import tflite_compress as tc
        >>> result = tc.compress(
        ...     "examples/digits.keras", "rp2040", "float16", out=tempfile.mkdtemp(), latency_seconds=0.05
        ... )  # doctest: +SKIP
        >>> print(tc.report(result.tflite.parent))  # doctest: +SKIP
    """
    from tflite_compress.reporting.comparison import side_by_side
    from tflite_compress.reporting.markdown import result_markdown
    from tflite_compress.reporting.page import comparison_page, result_page
    from tflite_compress.reporting.recorded import read_results
    from tflite_compress.support.staging import replace_file

    with library_call():
        found = [result for folder in folders for result in read_results(Path(folder))]
        if not found:
            raise UsageError("no result folder was given", 'For example report("compressed/digits-rp2040").')
        if html is not None:
            page = comparison_page(found) if len(found) > 1 else result_page(found[0])
            replace_file(Path(html), page)
        return side_by_side(found) if len(found) > 1 else result_markdown(found[0])


def repeat(
    manifest: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: ProgressCallback | None = None,
) -> tuple[Result, bool]:
    """Run a recorded compression again and compare the new files with the recorded ones.

    Args:
        manifest: Path of the ``manifest.json`` of a result for one device.
        out: Folder for the new result; the folder of the old one with ``-repeated`` appended by default.
            Nothing is written elsewhere.
        ledger: SQLite file that records the run; None records nothing.
        progress: Called with each :class:`ProgressUpdate`. An exception it raises cancels the run: nothing is
            written, and the exception reaches the caller.

    Returns:
        The new result, and True if its files equal the recorded ones byte for byte.

    Raises:
        UsageError: The manifest cannot be read, the model has changed, or the run took model or data from
            Python.
        DataError: The data have changed.
        OutputError: ``out`` cannot be written, or holds other files.

    Examples:
        >>> import tempfile
        >>> import tflite_compress as tc
        >>> folder = tempfile.mkdtemp()
        >>> first = tc.compress(
        ...     "examples/digits.keras", "android-gpu", out=f"{folder}/one", details=False, bundle=False,
        ...     latency_seconds=0.01,
        ... )
        >>> again, is_same = tc.repeat(f"{folder}/one/manifest.json", out=f"{folder}/two")
        >>> is_same, again.tflite.name
        (True, 'digits.tflite')
    """
    from tflite_compress.compression.compress import repeat_run
    from tflite_compress.reporting.ledger import OFF

    with library_call(progress) as reports:
        record = OFF if ledger is None else os.fspath(ledger)
        return repeat_run(manifest, out, reports, None, record)
