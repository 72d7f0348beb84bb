"""Evaluation images with the predictions of the original and of the result, where the data are images."""

from __future__ import annotations

import base64
import io

import numpy as np

from tflite_compress.reporting.detail_figures import Picture, Prediction
from tflite_compress.scoring.reference import Outputs, Reference

MAX_PICTURES = 8
MIN_SIDE, MAX_SIDE = 6, 96


def sample_pictures(reference: Reference, outputs: Outputs) -> tuple[Picture, ...]:
    """Choose up to eight evaluation images, first those the result predicts differently.

    Args:
        reference: The original model on the data.
        outputs: The result's outputs on the evaluation samples.

    Returns:
        The images; empty where inputs are no images or outputs no classes.
    """
    inputs = reference.splits.evaluate.inputs
    if len(inputs) != 1 or not are_images(inputs[0]) or reference.heads[0].task != "classification":
        return ()
    names = reference.splits.evaluate.class_names
    before, after = reference.evaluation_outputs[0], outputs[0]
    if before.ndim != 2:
        return ()
    changed = np.flatnonzero(before.argmax(-1) != after.argmax(-1))
    others = np.setdiff1d(np.arange(len(before)), changed)
    chosen = [int(i) for i in [*changed[:MAX_PICTURES], *others[:MAX_PICTURES]]][:MAX_PICTURES]
    labels = reference.targets[0] if reference.labelled else None
    low, high = float(inputs[0][chosen].min()), float(inputs[0][chosen].max())
    return tuple(
        Picture(
            sample=index,
            png=_png(inputs[0][index], low, high),
            label=None if labels is None else _name(_class(labels[index]), names),
            before=_prediction(before[index], names),
            after=_prediction(after[index], names),
            is_changed=bool(before[index].argmax() != after[index].argmax()),
        )
        for index in chosen
    )


def are_images(samples: np.ndarray) -> bool:
    """True for arrays of shape (samples, height, width, 1 or 3)."""
    return samples.ndim == 4 and samples.shape[3] in (1, 3) and min(samples.shape[1:3]) >= MIN_SIDE


def _class(label: np.ndarray) -> int:
    return int(label) if np.ndim(label) == 0 else int(np.argmax(label))


def _name(number: int, names: tuple[str, ...]) -> str:
    return names[number] if number < len(names) else str(number)


def _prediction(output: np.ndarray, names: tuple[str, ...]) -> Prediction:
    best = int(output.argmax())
    return Prediction(label=_name(best, names), value=float(output[best]))


def _png(image: np.ndarray, low: float, high: float) -> str:
    from PIL import Image

    spread = (image.astype(np.float64) - low) / max(high - low, 1e-12)
    pixels = np.clip(spread * 255, 0, 255).astype(np.uint8)
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
