"""Decision trees: their size before and after, and the agreement of the exported forms."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import bullets, table
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import Section, register
from tflite_compress.support.quantities import format_bytes
from tflite_compress.trees.forest_report import Agreement, ForestFacts

Row = tuple[str, str, str]


def forest_rows(forest: ForestFacts) -> list[Row]:
    """Return one property per row, before and after."""
    before, after, code = forest.before, forest.after, forest.code
    rows = [
        ("trees", f"{before.trees:,}", f"{after.trees:,}"),
        ("splits and leaves", f"{before.nodes:,}", f"{after.nodes:,}"),
        ("depth, splits", f"{before.depth:,}", f"{after.depth:,}"),
        ("thresholds", before.thresholds, after.thresholds),
        ("numbers in leaves", before.leaf_values, after.leaf_values),
    ]
    if code is not None:
        sizes = (code.uncompressed_table_bytes, code.table_bytes)
        rows.append(("C code: tables", format_bytes(sizes[0]), format_bytes(sizes[1])))
        if code.cortex_m4 is not None and code.uncompressed_cortex_m4 is not None:
            sizes = (code.uncompressed_cortex_m4.flash_bytes, code.cortex_m4.flash_bytes)
            rows.append(("C code: flash on a Cortex-M4", format_bytes(sizes[0]), format_bytes(sizes[1])))
    return rows


def agreement_lines(forest: ForestFacts) -> list[str]:
    """Say on how many samples the exported forms agree with their sources."""
    lines = [
        f"the .tflite before compression agrees with {forest.export_reference} on {_counted(forest.export)}"
    ]
    if forest.code is not None and forest.code.agreement is not None:
        counted = _counted(forest.code.agreement)
        lines.append(f"the C code, compiled here, agrees with the compressed forest on {counted}")
    return lines


def _counted(agreement: Agreement) -> str:
    return (
        f"{agreement.same:,} of {agreement.samples:,} samples; the largest difference of outputs is "
        f"{agreement.largest_difference:.2g}"
    )


def to_html(found: Recorded) -> str | None:
    """Render a table and the agreements."""
    forest = found.report.forest
    if forest is None:
        return None
    return render("sections/forest.html", rows=forest_rows(forest), lines=agreement_lines(forest))


def to_markdown(found: Recorded) -> str | None:
    """Render a table and the agreements."""
    forest = found.report.forest
    if forest is None:
        return None
    return (
        f"{table(('forest', 'before', 'after'), forest_rows(forest))}\n\n{bullets(agreement_lines(forest))}"
    )


def to_terminal(found: Recorded) -> str | None:
    """Render the figures in a few lines."""
    forest = found.report.forest
    if forest is None:
        return None
    before, after = forest.before, forest.after
    lines = [
        f"{before.trees:,} → {after.trees:,} trees, {before.nodes:,} → {after.nodes:,} splits and leaves, "
        f"depth {before.depth} → {after.depth}"
    ]
    code_rows = [row for row in forest_rows(forest) if row[0].startswith("C code")]
    lines += [f"{name}: {old} → {new}" for name, old, new in code_rows[-1:]]
    return "\n".join([*lines, *agreement_lines(forest)])


register(Section("forest", 60, to_html, to_markdown, to_terminal))
