"""A user's program that calls the whole API. It is type-checked, never run."""

from pathlib import Path

import numpy as np

import tflite_compress as tc


def accuracy(targets: np.ndarray, predictions: np.ndarray) -> float:
    return float(np.mean(predictions.argmax(1) == targets))


def load() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((8, 4), np.float32), np.zeros(8, np.int64)


def scale(x: np.ndarray) -> np.ndarray:
    return x / 255.0


def show(update: tc.ProgressUpdate) -> None:
    print(update.title, update.done, update.total)


def main(model: object) -> None:
    x, _ = load()
    recipe: tc.Recipe = tc.chain(
        tc.PruneChannels(0.5, training=tc.Training(epochs=1)), tc.Equalize(), tc.Int8(io="integer")
    )
    result: tc.Result = tc.compress(
        model, "rp2040", recipe, data=load, preprocess=scale, metric=accuracy, out=Path("out"), progress=show
    )
    passed: bool = result.passed and result.fits
    small = tc.apply(model, tc.Prune(sparsity=0.5), tc.Cluster(), data=(x, x), device="rp2040")
    lite: tc.TFLiteModel = tc.convert(small, tc.Int16x8(), calibration=x)
    path: Path = lite.save("m.tflite")
    outputs: np.ndarray = lite.predict(x)
    named: dict[str, np.ndarray] = lite.predict_all({"x": x})
    found: tc.Inspection = tc.inspect(path)
    verdict: tc.Verdict = tc.check(lite, "rp2040", max_ram_bytes=64 * 1024, data=(x, x))
    findings: tuple[tc.Finding, ...] = verdict.findings
    compared: list[tc.Comparison] = tc.verify(lite, ["litert", "tflm"])
    times: tc.Benchmark = tc.benchmark(lite, path, seconds=1.0)
    operators: tc.Profile = tc.profile(lite, threads=2)
    folder: Path = tc.bundle(lite, "rp2040", out="bundle")
    diagnosis: tc.Diagnosis = tc.diagnose(model, "rp2040", data=(x, x))
    searched: tc.SearchResult = tc.search("m.keras", "rp2040", data="d.npz", time_budget_seconds=60)
    text: str = tc.report("out", html="report.html")
    names: list[str] = [d.name for d in tc.devices()] + [r.name for r in tc.recipes()]
    device: tc.Device = tc.load_device("rp2040")
    try:
        tc.load_recipe("missing")
    except tc.CompressError as error:
        print(error.message, error.hint)
    print(passed, outputs, named, found, findings, compared, times, operators, folder, diagnosis, searched)
    print(text, names, device, tc.Float32(), tc.Float16(), tc.Dynamic(), tc.Qat(), tc.__version__)
