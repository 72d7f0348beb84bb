from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tflite_compress
from tests.narrow import present
from tflite_compress.models.load import load_model
from tflite_compress.reporting.model import Report, decode_report
from tflite_compress.support.errors import DataError, UsageError

FAST: dict[str, Any] = {"latency_seconds": 0.05}
PLAIN: dict[str, Any] = {**FAST, "details": False, "bundle": False}


def texts(report: Report) -> list[str]:
    return [note.text for note in report.notes]


def test_a_model_is_compressed_for_a_device(digits: Path, digits_data: Path, tmp_path: Path) -> None:
    result = tflite_compress.compress(
        digits, "raspberry-pi-4", data=digits_data, out=tmp_path / "out", **FAST
    )
    assert result.passed and result.tflite == tmp_path / "out" / "digits.tflite"
    report = decode_report((tmp_path / "out" / "report.json").read_bytes())
    assert report == result.report
    assert report.verdict.kind == "ready" and report.recipe.name == "int8"
    assert report.size.result.bytes == result.tflite.stat().st_size
    assert report.size.ratio < 0.4
    assert report.accuracy.metric.name == "top1" and report.accuracy.samples == 450
    assert report.accuracy.before > 0.9 and report.accuracy.drop <= 0.01
    assert report.macs.baseline == report.macs.result
    assert report.macs.result.value == 64 * 9 * 24 + 64 * 9 * 24 * 48 + 16 * 9 * 48 * 32 + 32 * 64 + 640
    assert {p.name for p in report.passes} == {"choose_int8", "convert", "slim"}
    assert all(p.accuracy > 0.9 and p.seconds >= 0 for p in report.passes)
    for latency in (report.latency.baseline, report.latency.result):
        assert 0 < latency.median_ms <= latency.p90_ms <= latency.p99_ms
    assert report.device_latency is None
    assert {"load", "data", "original", "baseline", "passes", "latency"} <= set(report.seconds)
    assert {"reading the data", "converting to int8", "measuring latency"} <= set(report.steps)
    assert present(report.peak_memory_bytes) > 200 << 20


def test_the_figures_in_the_report_are_true(digits: Path, digits_arrays: Any, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    x, y = digits_arrays["x_test"], digits_arrays["y_test"]
    spec = {"train": digits_arrays["x_train"], "evaluate": (x, y)}
    result = tflite_compress.compress(digits, "arduino-nano-33-ble", **spec, out=tmp_path / "o", **PLAIN)
    interpreter = Interpreter(model_path=str(result.tflite))
    interpreter.allocate_tensors()
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = given["quantization"]
    right = 0
    for image, label in zip(x, y, strict=True):
        interpreter.set_tensor(given["index"], (np.round(image[np.newaxis] / scale) + zero).astype(np.int8))
        interpreter.invoke()
        right += int(np.argmax(interpreter.get_tensor(wanted["index"])) == label)
    assert right / len(y) == pytest.approx(result.report.accuracy.after)


@pytest.mark.slow
def test_several_devices_share_the_training(digits: Path, digits_data: Path, tmp_path: Path) -> None:
    from tflite_compress.passes.prune import Prune

    devices = ["raspberry-pi-4", "android-gpu", "arduino-nano-33-ble"]
    trainings: list[Any] = []
    original = Prune.apply
    with pytest.MonkeyPatch.context() as patch:

        def counting(*args: Any) -> Any:
            trainings.append(args[0])
            return original(*args)

        patch.setattr(Prune, "apply", counting)
        results = tflite_compress.compress_many(
            digits, devices, "prune-int8", data=str(digits_data), out=tmp_path / "out",
            overrides={"min_steps": 100, "epochs": 1}, max_drop=0.05, **FAST,
        )  # fmt: skip
    assert len(trainings) == 1 and [r.device for r in results] == devices
    assert all((tmp_path / "out" / d / "digits.tflite").is_file() for d in devices)
    index = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert index["devices"] == devices
    made = [name for name in index["outputs"] if "/bundle/" not in name]
    assert len(made) == 18 and {f"{d}/bundle/README.md" for d in devices} <= set(index["outputs"])
    sparsity = results[0].report.sparsity_by_layer
    handle = load_model(digits).network.handle
    sizes = [handle.get_layer(name).get_weights()[0].size for name in sparsity]
    assert np.average([*sparsity.values()], weights=sizes) == pytest.approx(0.8, abs=0.01)
    assert any("no smaller" in note for note in texts(results[0].report))
    assert results[0].report.size.result.gzip_bytes < 0.6 * results[0].report.size.result.bytes


@pytest.mark.slow
def test_without_labels_accuracy_is_agreement_with_the_original(
    digits: Path, digits_arrays: Any, tmp_path: Path
) -> None:
    x = digits_arrays["x_train"]
    result = tflite_compress.compress(digits, "raspberry-pi-4", data=x, out=tmp_path / "o", **PLAIN)
    accuracy = result.report.accuracy
    assert not accuracy.is_labelled and accuracy.before == 1.0 and accuracy.after > 0.97
    assert accuracy.metric.name == "top1 agreement with the original"
    assert any("no labels" in note for note in texts(result.report))


@pytest.mark.slow
def test_without_data_float16_is_made_but_accuracy_unknown(digits: Path, tmp_path: Path) -> None:
    result = tflite_compress.compress(digits, "android-gpu", out=tmp_path / "o", **PLAIN)
    assert result.verdict.kind == "not-established" and result.passed
    assert any("accuracy is unknown" in note for note in texts(result.report))
    with pytest.raises(DataError, match="no data was given"):
        tflite_compress.compress(digits, "raspberry-pi-4", out=tmp_path / "p", **PLAIN)


def outlier_model(keras: ModuleType) -> Any:
    """Per-tensor int8 activations cannot hold both its large and its small channels."""
    inputs = keras.Input((8,))
    hidden = keras.layers.Dense(16, name="wide")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="end")(hidden))
    rng = np.random.default_rng(0)
    wide, end = rng.standard_normal((8, 16)), rng.standard_normal((16, 2))
    wide[:, 0] *= 3000
    end[0] = 0
    model.set_weights([wide, np.zeros(16), end, np.zeros(2)])
    return model


def plain_recipe(name: str, *fallbacks: str) -> str:
    """Write a recipe that converts to int8, without automatic repairs, and return its path."""
    tables = "".join(f'[[fallbacks]]\nprecision = "{precision}"\n' for precision in fallbacks)
    Path(f"{name}.toml").write_text(
        f'name = "{name}"\nsummary = "int8 and fallbacks"\n[[passes]]\npass = "bias_correct"\n'
        f'[[passes]]\npass = "convert"\nprecision = "int8"\n{tables}'
    )
    return f"{name}.toml"


def test_the_next_fallback_is_tried(keras: ModuleType, tmp_path: Path) -> None:
    x = np.random.default_rng(1).standard_normal((400, 8)).astype(np.float32)
    said: list[str] = []
    result = tflite_compress.compress(
        outlier_model(keras), "raspberry-pi-4", plain_recipe("two", "int16x8", "float16"), data=x,
        out=tmp_path / "o", metric="r2",
        progress=lambda update: said.append(update.title), **PLAIN,
    )  # fmt: skip
    assert any(re.search(r"int8: accuracy drop [\d.e+]+ points, accepted: 1 point; trying", s) for s in said)
    tried = [(c.summary, c.passed) for c in result.report.candidates]
    assert tried[0] == ("int8", False) and tried[-1][1] and len(tried) > 1
    assert result.passed and result.report.accuracy.drop <= 0.01


@pytest.mark.slow
def test_a_type_the_converter_refuses_is_passed_over(keras: ModuleType, tmp_path: Path) -> None:
    layers = keras.layers
    looped = keras.Sequential([keras.Input((130, 3)), layers.RNN(layers.GRUCell(4)), layers.Dense(2)])
    x = np.random.default_rng(1).standard_normal((40, 130, 3)).astype(np.float32)
    recipe = plain_recipe("looped", "dynamic")
    result = tflite_compress.compress(looped, "raspberry-pi-4", recipe, data=x, out=tmp_path / "o", **PLAIN)
    first, *_, last = result.report.candidates
    assert result.passed and "loop" in present(first.error) and not first.passed and last.passed


def test_when_nothing_passes_the_best_is_kept_and_marked(keras: ModuleType, tmp_path: Path) -> None:
    x = np.random.default_rng(1).standard_normal((400, 8)).astype(np.float32)
    recipe = plain_recipe("only")
    result = tflite_compress.compress(
        outlier_model(keras), "raspberry-pi-4", recipe, data=x, out=tmp_path / "o", **PLAIN
    )
    assert not result.passed and result.tflite.name.endswith(".failed.tflite") and result.tflite.is_file()
    assert result.verdict.kind == "accuracy-not-kept" and result.report.passes[-1].drop > 0.01


def test_several_inputs_and_outputs(keras: ModuleType, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    a, b = keras.Input((8,), name="left"), keras.Input((4,), name="right")
    x = layers.Concatenate()([layers.Dense(16, activation="relu")(a), b])
    model = keras.Model(
        [a, b], [layers.Dense(3, activation="softmax", name="kind")(x), layers.Dense(1, name="size")(x)]
    )
    rng = np.random.default_rng(0)
    inputs = {"right": rng.standard_normal((200, 4)), "left": rng.standard_normal((200, 8))}
    labels = {"size": rng.standard_normal((200, 1)), "kind": rng.integers(0, 3, 200)}
    result = tflite_compress.compress(
        model, "raspberry-pi-4", data=(inputs, labels), out=tmp_path / "o", max_drop=0.5, **PLAIN
    )
    assert set(result.report.accuracy.by_output) == {"kind", "size"}
    assert result.report.distance.cosine > 0.99


@pytest.mark.slow
def test_a_run_from_the_manifest_gives_the_same_bytes(
    digits: Path, digits_data: Path, tmp_path: Path
) -> None:
    first = tflite_compress.compress(
        digits, "raspberry-pi-4", "prune-int8", data=str(digits_data), out=tmp_path / "one",
        overrides={"min_steps": 60, "epochs": 1, "sparsity": 0.5}, max_drop=0.2, seed=3, **FAST,
    )  # fmt: skip
    # Another process, as a user would: nothing is left over from the first run.
    code = subprocess.run(
        [sys.executable, "-m", "tflite_compress", "repeat", tmp_path / "one" / "manifest.json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert code.returncode == 0, code.stderr
    assert "the same bytes as recorded" in code.stdout
    again = (tmp_path / "one-repeated" / "digits.tflite").read_bytes()
    assert again == first.tflite.read_bytes()
    recorded = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert recorded["recipe"]["passes"][0]["sparsity"] == 0.5 and recorded["seed"] == 3
    assert set(recorded["versions"]) >= {"tensorflow", "tf-keras", "ai-edge-litert", "python"}


@pytest.mark.slow
def test_a_repeat_with_other_data_is_refused(digits: Path, digits_arrays: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=digits_arrays["x_test"])
    tflite_compress.compress(digits, "android-gpu", data=str(tmp_path / "d.npz"), out=tmp_path / "o", **FAST)
    np.savez(tmp_path / "d.npz", x=digits_arrays["x_test"][1:])
    with pytest.raises(DataError, match="no longer what was recorded"):
        tflite_compress.repeat(tmp_path / "o" / "manifest.json")
    assert not (tmp_path / "o-repeated").exists()


@pytest.mark.slow
def test_what_came_from_python_cannot_be_repeated(
    keras: ModuleType, digits_arrays: Any, digits: Path, tmp_path: Path
) -> None:
    tflite_compress.compress(
        digits, "raspberry-pi-4", data=digits_arrays["x_test"], out=tmp_path / "o", **FAST
    )
    with pytest.raises(UsageError, match="took data from Python"):
        tflite_compress.repeat(tmp_path / "o" / "manifest.json")


def test_unknown_options_are_refused(digits: Path) -> None:
    with pytest.raises(TypeError, match="colour"):
        tflite_compress.compress(digits, "android-gpu", colour=1)  # type: ignore[call-arg]


@pytest.mark.slow
def test_an_encoded_file_comes_with_the_plain_one(digits: Path, digits_data: Path, tmp_path: Path) -> None:
    quick = {"epochs": 1, "min_steps": 40, "recovery_steps": 10, "rounds": 1, "target_macs": 0.7}
    result = tflite_compress.compress(
        digits, "rp2040", "tiny-mcu", data=digits_data, overrides=quick, max_drop=1.0, out=tmp_path / "o"
    )
    report = result.report
    plain, encoding = tmp_path / "o" / present(report.plain_file), present(report.encoding)
    assert plain.name == "digits.plain.tflite" and result.tflite.stat().st_size < plain.stat().st_size
    assert report.size.result.bytes == encoding.bytes == result.tflite.stat().st_size
    assert encoding.equal_samples >= 100 and report.channels_by_layer
    assert report.operators["TFLM_DECODE"] > 0 and report.clusters_by_layer
    assert set(result.manifest["outputs"]) == {result.tflite.name, plain.name}
    assert any("DECODE" in note for note in texts(report))
    again, same = tflite_compress.repeat(tmp_path / "o" / "manifest.json", out=tmp_path / "again")
    assert same and again.tflite.read_bytes() == result.tflite.read_bytes()


@pytest.mark.slow
def test_latency_with_and_without_sparse_storage(digits: Path, digits_data: Path, tmp_path: Path) -> None:
    quick = {"epochs": 1, "min_steps": 60, "frequency": 3}
    report = tflite_compress.compress(
        digits,
        "raspberry-pi-4",
        "sparse-float32",
        data=digits_data,
        overrides=quick,
        max_drop=1.0,
        out=tmp_path / "o",
    ).report
    latency = report.latency
    dense = present(latency.dense).median_ms
    assert latency.dense_ratio == pytest.approx(latency.result.median_ms / dense)
    assert report.size.ratio < 0.7 and any("that of the dense file" in n for n in texts(report))


WAYS = ("int8", "4-bit weights + learned rounding + int8", "50% of the MACs + int8")


def limited(digits: Path, data: Path, out: Path, kilobytes: int) -> tflite_compress.Result:
    """Compress within a limit of flash, without naming a recipe."""
    return tflite_compress.compress(
        digits,
        "rp2040",
        data=data,
        out=out / str(kilobytes),
        max_flash_bytes=kilobytes * 1024,
        overrides={"epochs": 1, "min_steps": 600},
        bundle=False,
        **FAST,
    )


def check_candidates(result: tflite_compress.Result, kilobytes: int, tried: tuple[str, ...]) -> None:
    """All candidates but the last were rejected for the limit."""
    assert result.fits and result.passed
    assert tuple(c.summary for c in result.report.candidates) == tried
    rejected = [note for note in texts(result.report) if "was rejected" in note]
    assert len(rejected) == len(tried) - 1
    assert all("flash" in note and f"limit {kilobytes} KB" in note for note in rejected), rejected


@pytest.mark.slow
@pytest.mark.parametrize(("kilobytes", "count"), [(200, 1), (95, 2)])
def test_a_limit_takes_the_cheapest_way_that_keeps_it(
    digits: Path, digits_data: Path, tmp_path: Path, kilobytes: int, count: int
) -> None:
    result = limited(digits, digits_data, tmp_path, kilobytes)
    check_candidates(result, kilobytes, WAYS[:count])


@pytest.mark.marathon
def test_a_tight_limit_calls_for_training(digits: Path, digits_data: Path, tmp_path: Path) -> None:
    check_candidates(limited(digits, digits_data, tmp_path, 88), 88, WAYS)
    hopeless = limited(digits, digits_data, tmp_path, 20)
    assert not hopeless.fits and len(hopeless.report.candidates) == 4
    assert all(c.limit_violation or c.drop is None or c.drop > 0.01 for c in hopeless.report.candidates)
