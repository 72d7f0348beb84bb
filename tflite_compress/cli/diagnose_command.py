"""The command that says why a quantized model loses accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tflite_compress.cli.option_values import (
    flag,
    names_of,
    plain_settings,
    quietly,
    refuse_extra,
    sources_of,
    text,
)
from tflite_compress.support.errors import UsageError


def diagnose(
    model: Any = None,
    *extra: str,
    device: Any = None,
    recipe: Any = None,
    data: Any = None,
    train: Any = None,
    calibrate: Any = None,
    eval: Any = None,
    preprocess: Any = "none",
    resize: bool = False,
    metric: Any = None,
    custom_objects: Any = None,
    trust_model: bool = False,
    seed: int = 0,
    plot: Any = None,
    json: bool = False,
    **settings: Any,
) -> int:
    """Find out which layers, or which data, cost a quantized model its accuracy. Exit code 1 if it does.

    Args:
        model: A .keras or .h5 file, or a SavedModel folder.
        extra: Nothing else is expected.
        device: Device profile; a name or the path of a TOML file.
        recipe: Recipe name or path; by default the device's. Only its quantization is looked at.
        data: .npz file, folder of images (one subfolder a class), or module:function. Split by the tool.
        train: Training data, if it comes separately.
        calibrate: Calibration data (representative dataset), if it comes separately.
        eval: Evaluation data, if it comes separately.
        preprocess: none, unit (0 to 1), symmetric (-1 to 1), or module:function on the input arrays.
        resize: Resize images to the model's input.
        metric: top1, top5, binary_accuracy, r2, mae, mse, or module:function; inferred by default.
        custom_objects: module:dict with the custom classes of the model.
        trust_model: Run code that is in the model file, such as Lambda layers.
        seed: Seed of the split.
        plot: Draw the layers into this .svg file too.
        json: Print everything as JSON.
        settings: Settings of the recipe.
    """
    refuse_extra(extra)
    if model is None:
        raise UsageError(
            "no model named", "For example: tflite-compress diagnose model.keras --device=rp2040"
        )
    names = names_of(device)
    if len(names) != 1:
        raise UsageError("--device: a diagnosis is for one device", "Call it once for each.")
    from tflite_compress.compression import compress as api
    from tflite_compress.data.gather import DataSpec
    from tflite_compress.diagnosis.diagnose import diagnose as run

    options = api.settled_options(
        {
            "metric": text(metric),
            "custom_objects": text(custom_objects),
            "trust_model": flag(trust_model, "trust-model"),
            "seed": seed,
        }
    )
    spec = DataSpec(
        **sources_of(data, train, calibrate, eval),
        preprocess=str(preprocess),
        resize=flag(resize, "resize"),
    )
    found = quietly(
        lambda progress: run(
            str(model), names[0], text(recipe), spec, options, plain_settings(settings), progress
        )
    )
    if plot is not None:
        from tflite_compress.reporting.plots import diagnosis_plot
        from tflite_compress.support.staging import write_file

        write_file(Path(str(plot)), diagnosis_plot(found.as_json()))
    if flag(json, "json"):
        import json as encoder

        print(encoder.dumps(found.as_json(), indent=2))
    else:
        from tflite_compress.reporting.diagnosis_table import print_diagnosis

        print_diagnosis(found)
    return 0 if found.harmless and not found.inputs else 1
