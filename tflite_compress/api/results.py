"""``report``: results that were written earlier, as Markdown or as one HTML page."""

from __future__ import annotations

import os
from pathlib import Path

from tflite_compress.api.library_call import library_call
from tflite_compress.support.errors import UsageError


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
