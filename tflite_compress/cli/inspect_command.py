"""The `inspect` command: shows what a ``.tflite`` contains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tflite_compress.cli.command_registry import command
from tflite_compress.cli.option_types import Drawing, File, InputShape, is_png
from tflite_compress.cli.shared_calls import check_page, print_json, write_page
from tflite_compress.cli.shared_options import OutputOptions, PageOptions

if TYPE_CHECKING:
    from tflite_compress.inspection.inspect_file import Inspection


@dataclass(frozen=True)
class InspectOptions:
    """Inspection.

    Attributes:
        graph: Draw the operators into this .svg or .png file.
        diff: Another .tflite to compare with.
        input_shape: Sizes of the inputs without the batch, for dimensions that the file leaves open, for
            example 224x224x3, or image=224x224x3,text=20. Open dimensions count as 1 by default.
    """

    graph: Drawing | None = None
    diff: File | None = None
    input_shape: InputShape | None = None


@command("Work with a .tflite", "model.tflite", model="A .tflite file.")
def inspect(model: str, options: InspectOptions, output: OutputOptions, page: PageOptions) -> int:
    """Show what a .tflite contains: operators, types, weights, and bytes per part."""
    from tflite_compress.inspection.inspect_file import inspect as read

    check_page(page)
    found = read(model, options.input_shape)
    if options.diff is None:
        _show(found, output, page)
    else:
        _show_difference(found, read(options.diff, options.input_shape), output, page)
    if options.graph is not None:
        from tflite_compress.reporting.graph_png import graph_png
        from tflite_compress.reporting.graph_svg import graph_file
        from tflite_compress.reporting.network_operators import network_operators
        from tflite_compress.support.staging import write_file

        operators = network_operators([op for op in found.operators if op.graph == 0])
        drawn = graph_png(operators) if is_png(options.graph) else graph_file(operators, found.path)
        write_file(Path(options.graph), drawn)
    return 0


def _show(found: Inspection, output: OutputOptions, page: PageOptions) -> None:
    from tflite_compress.reporting import inspection_table

    if output.json:
        print_json(inspection_table.inspection_record(found))
    else:
        inspection_table.print_inspection(found)
    if page.html is not None:
        from tflite_compress.reporting.inspection_page import inspection_page

        write_page(page.html, output, inspection_page(found))


def _show_difference(before: Inspection, after: Inspection, output: OutputOptions, page: PageOptions) -> None:
    from tflite_compress.inspection.diff import compare_inspections
    from tflite_compress.reporting import inspection_table

    change = compare_inspections(before, after)
    if output.json:
        print_json(inspection_table.difference_record(before, after, change))
    else:
        inspection_table.print_difference(before, after, change)
    if page.html is not None:
        from tflite_compress.reporting.inspection_page import difference_page

        write_page(page.html, output, difference_page(before, after, change))
