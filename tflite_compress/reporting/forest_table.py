"""What reports say of a forest: its trees before and after, and who agrees with whom."""

from __future__ import annotations

from typing import Any

Row = tuple[str, str, str]


def forest_rows(report: dict[str, Any]) -> list[Row]:
    """Before and after, one property a row; none for other models.

    Args:
        report: What ``report.json`` holds.
    """
    found = report.get("forest")
    if not found:
        return []
    before, after = found["before"], found["after"]
    rows = [
        (what, f"{before[key]:,}", f"{after[key]:,}")
        for what, key in (
            ("trees", "trees"),
            ("splits and leaves", "nodes"),
            ("most splits to a leaf", "depth"),
        )
    ]
    rows += [
        ("thresholds", before["thresholds"], after["thresholds"]),
        ("numbers in leaves", before["leaf_values"], after["leaf_values"]),
    ]
    code = found.get("c")
    if code:
        plain = code["uncompressed_table_bytes"]
        rows.append(("C code: bytes of tables", f"{plain:,}", f"{code['table_bytes']:,}"))
    if code and "cortex_m4" in code:
        pair = code["uncompressed_cortex_m4"]["flash_bytes"], code["cortex_m4"]["flash_bytes"]
        rows.append(("C code: bytes of flash on a Cortex-M4", f"{pair[0]:,}", f"{pair[1]:,}"))
    return rows


def forest_agreements(report: dict[str, Any]) -> list[str]:
    """Sentences on who agrees with whom, on how many samples."""
    found = report.get("forest")
    if not found:
        return []
    export = found["export"]
    lines = [
        f"before anything is compressed, the .tflite says the same as {export['compared_with']} on "
        f"{_counted(export)}"
    ]
    code = found.get("c", {}).get("agreement")
    if code:
        lines.append(f"the C code, compiled here, says the same as the compressed forest on {_counted(code)}")
    return lines


def forest_lines(report: dict[str, Any]) -> list[str]:
    """The same for the terminal."""
    found = report.get("forest")
    if not found:
        return []
    before, after = found["before"], found["after"]
    lines = [
        f"{before['trees']:,} → {after['trees']:,} trees, {before['nodes']:,} → {after['nodes']:,} splits "
        f"and leaves, {before['depth']} → {after['depth']} levels"
    ]
    flash = [row for row in forest_rows(report) if row[0].startswith("C code: bytes")][-1:]
    lines += [f"C code for firmware, {what[8:]}: {old} → {new}" for what, old, new in flash]
    return [*lines, *forest_agreements(report)]


def _counted(agreement: dict[str, Any]) -> str:
    return (
        f"{agreement['same']:,} of {agreement['samples']:,} samples, largest difference of outputs "
        f"{agreement['largest_difference']:.2g}"
    )
