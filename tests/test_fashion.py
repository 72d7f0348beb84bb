"""The promise on real data: Fashion-MNIST, 38 thousand weights, 50 and 80 % of them zero, then int8.

The network is the one that benchmarks/small_data.py has trained.
"""

from __future__ import annotations

import os
from pathlib import Path

import fashion
import numpy as np
import pytest

import tflite_compress
from tests.needs import marathon_count
from tflite_compress.models.load import load_model
from tflite_compress.reporting.figures import FileSize

pytestmark = pytest.mark.marathon
MODEL = Path(fashion.__file__).parent / "measured" / "fashion_cnn.keras"
IMAGES = marathon_count(60_000, 15_000)  # that train the pruned networks


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not fashion.available():
        message = "needs Debian's package dataset-fashion-mnist"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    path = tmp_path_factory.mktemp("fashion") / "data.npz"
    fashion.save_npz(path, IMAGES)
    return path


@pytest.fixture(scope="module")
def unpruned(data: Path) -> FileSize:
    """Size of the int8 file with all its weights."""
    with np.load(data) as archive:
        test = (archive["x_test"][:2000], archive["y_test"][:2000])
    result = tflite_compress.compress(MODEL, "raspberry-pi-4", "int8", data=test, out=data.parent / "int8")
    return result.report.size.result


@pytest.mark.parametrize(
    ("sparsity", "largest_drop", "labels"), [(0.5, 0.005, True), (0.8, 0.02, True), (0.8, 0.02, False)]
)
def test_pruning_keeps_the_accuracy(
    data: Path, unpruned: FileSize, sparsity: float, largest_drop: float, labels: bool
) -> None:
    with np.load(data) as archive:
        arrays = dict(archive)
    test = (arrays["x_test"], arrays["y_test"])
    train = (arrays["x_train"], arrays["y_train"]) if labels else arrays["x_train"]
    result = tflite_compress.compress(
        MODEL,
        "raspberry-pi-4",
        "prune-int8",
        train=train,
        evaluate=test,
        overrides={"sparsity": sparsity},
        max_drop=largest_drop,
        out=f"result-{sparsity}-{labels}",
    )
    report = result.report
    assert len(report.candidates) == 1 and report.accuracy.samples == 10_000
    assert report.accuracy.is_labelled and report.accuracy.before > 0.89
    assert report.accuracy.drop <= largest_drop
    handle, shares = load_model(MODEL).network.handle, report.sparsity_by_layer
    sizes = [handle.get_layer(name).get_weights()[0].size for name in shares]
    assert np.average([*shares.values()], weights=sizes) == pytest.approx(sparsity, abs=0.01)
    # The file itself is no smaller; what is sent is, by nearly a third of what was pruned or more.
    size = report.size.result
    assert size.bytes == pytest.approx(unpruned.bytes, rel=0.02)
    assert size.gzip_bytes < (1 - 0.3 * sparsity) * unpruned.gzip_bytes
