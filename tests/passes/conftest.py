"""A trained model and its data, as passes see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.load import load_model
from tflite_compress.passes import Context, FloatModel
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.progress import Silent


@pytest.fixture(scope="session")
def context(digits: Path, digits_data: Path) -> Context:
    source = load_model(digits)
    splits = gather(DataSpec(data=str(digits_data)), source.network, 0)
    return Context(make_reference(source.network, splits, source.loss, None, None), 0, Silent())


@pytest.fixture(scope="session")
def start(context: Context) -> FloatModel:
    return FloatModel(context.reference.network)
