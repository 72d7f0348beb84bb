"""The `diagnose` command: explains the accuracy drop of a quantized model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tflite_compress.cli.command_registry import command
from tflite_compress.cli.option_types import Drawing, RecipeName, is_png
from tflite_compress.cli.run_log import with_progress
from tflite_compress.cli.shared_calls import check_page, data_spec, print_json, write_page
from tflite_compress.cli.shared_options import (
    DataOptions,
    GpuOptions,
    ModelOptions,
    OutputOptions,
    PageOptions,
    TargetOptions,
    TimeOptions,
)


@dataclass(frozen=True)
class DiagnoseOptions:
    """Diagnosis.

    Attributes:
        recipe: Recipe: a name, or the path of a TOML file. Only its quantization is examined. Default: the
            recipe of the device.
        plot: Also draw the layers into this .svg or .png file.
    """

    recipe: RecipeName | None = None
    plot: Drawing | None = None


@command(
    "Compress a model",
    "model.keras --device=rp2040 --data=data.npz",
    model="A .keras or .h5 file, or a SavedModel folder.",
)
def diagnose(
    model: str,
    target: TargetOptions,
    data: DataOptions,
    options: DiagnoseOptions,
    time: TimeOptions,
    loading: ModelOptions,
    scoring: GpuOptions,
    output: OutputOptions,
    page: PageOptions,
    **settings: object,
) -> int:
    """Find the layers or the data that cost a quantized model its accuracy.

    Exit code 0: no significant accuracy loss. Exit code 1: accuracy loss, or a suspected problem with data.
    """
    from tflite_compress.compression.options import Options
    from tflite_compress.diagnosis.diagnose import diagnose as run

    check_page(page)
    run_options = Options(time_budget_seconds=time.time_budget, **vars(loading), **vars(scoring))
    found = with_progress(
        lambda progress: run(
            model, target.device, options.recipe, data_spec(data), run_options, settings, progress
        )
    )
    if options.plot is not None:
        from tflite_compress.reporting.plots import diagnosis_plot, png_bytes, svg_text
        from tflite_compress.support.staging import write_file

        figure = diagnosis_plot(found.as_json())
        write_file(Path(options.plot), png_bytes(figure) if is_png(options.plot) else svg_text(figure))
    if output.json:
        print_json(found.as_json())
    else:
        from tflite_compress.diagnosis.diagnosis_table import print_diagnosis

        print_diagnosis(found)
    if page.html is not None:
        from tflite_compress.diagnosis.diagnosis_page import diagnosis_page

        write_page(page.html, output, diagnosis_page(found))
    return 0 if found.is_harmless and not found.inputs else 1
