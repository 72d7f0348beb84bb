"""Decision trees from file to bundle, as a user compresses them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.svm import SVC

import tflite_compress
from tests.conftest import Run
from tests.narrow import present
from tests.needs import tool
from tflite_compress.reporting.model import Report, decode_report, encode_report
from tflite_compress.runtimes.litert import predict
from tflite_compress.support.errors import CompressError


def texts(report: Report) -> list[str]:
    return [note.text for note in report.notes]


def split_data(path: Path, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write training and test samples; gives the training samples."""
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[: len(x) // 2], order[len(x) // 2 :]
    np.savez(path, x_train=x[train], y_train=y[train], x_test=x[test], y_test=y[test])
    return x[train], y[train]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forest on digits as skops and as joblib, and one whose classes have names."""
    where = tmp_path_factory.mktemp("forests")
    x, y = load_digits(return_X_y=True)
    forest = RandomForestClassifier(60, random_state=0).fit(*split_data(where / "digits.npz", x, y))
    skops.io.dump(forest, where / "digits.skops")
    joblib.dump(forest, where / "digits.joblib")
    x, y = load_breast_cancer(return_X_y=True)
    names = np.array(["malignant", "benign"])[y]
    named = RandomForestClassifier(20, random_state=0).fit(*split_data(where / "cancer.npz", x, names))
    skops.io.dump(named, where / "cancer.skops")
    return where


@pytest.fixture(scope="module")
def result(folder: Path) -> tflite_compress.Result:
    return tflite_compress.compress(
        folder / "digits.skops", "rp2040", data=folder / "digits.npz", out=folder / "out", max_drop=0.02
    )


def test_the_compressed_forest_is_smaller_and_as_accurate(result: tflite_compress.Result) -> None:
    report = result.report
    assert result.passed and result.fits
    assert report.accuracy.drop <= 0.02
    assert report.size.ratio < 0.6
    forest = present(report.forest)
    code, export = present(forest.code), present(forest.export)
    assert forest.after.trees < forest.before.trees == 60
    assert forest.after.thresholds == "int8"
    assert forest.export_reference == "its library"
    assert export.same == export.samples > 400
    assert code.table_bytes < 0.3 * code.uncompressed_table_bytes


def test_the_verdict_uses_samples_that_chose_no_settings(
    result: tflite_compress.Result, folder: Path
) -> None:
    data = result.manifest["data"]
    with np.load(folder / "digits.npz") as arrays:
        assert data["evaluate"]["samples"] + data["calibrate"]["samples"] == len(arrays["x_test"])
        assert data["train"]["samples"] == len(arrays["x_train"])
    assert any("held out for choosing settings" in note for note in texts(result.report))


def test_the_file_answers_with_probabilities(result: tflite_compress.Result, folder: Path) -> None:
    with np.load(folder / "digits.npz") as arrays:
        x, y = arrays["x_test"].astype(np.float32), arrays["y_test"]
    found = predict(result.tflite.read_bytes(), (x,), ("features",), ("probabilities",))[0]
    assert np.mean(found.argmax(axis=1) == y) > 0.9
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=0.1)


def test_the_bundle_has_c_code_that_runs(result: tflite_compress.Result) -> None:
    code = result.tflite.parent / "bundle" / "c"
    assert {p.name for p in code.iterdir()} == {"digits.c", "digits.h", "digits_check.c", "README.md"}
    gcc = tool("gcc", "gcc")
    subprocess.run([gcc, "-O2", "-o", "check", code / "digits.c", code / "digits_check.c", "-lm"], check=True)
    done = subprocess.run(["./check"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "16 of 16 test vectors agree\n"
    table = (code / "digits.c").read_text()
    Path("digits.h").write_bytes((code / "digits.h").read_bytes())
    Path("bad.c").write_text(table.replace("if (right)", "if (!right)"))
    subprocess.run([gcc, "-O2", "-I.", "-o", "bad", "bad.c", code / "digits_check.c", "-lm"], check=True)
    assert subprocess.run(["./bad"], capture_output=True).returncode == 1


def test_pages_speak_of_trees(result: tflite_compress.Result) -> None:
    out = result.tflite.parent
    for page in ("report.html", "report.md"):
        text = (out / page).read_text()
        assert "splits and leaves" in text
        assert "C code" in text and "agrees with its library" in text
    assert (out / "MODEL_CARD.md").exists()


@pytest.mark.slow
def test_the_command_line_repeats_checks_and_inspects(run: Run, folder: Path) -> None:
    code, out, err = run(
        *("compress", folder / "digits.joblib", f"--data={folder / 'digits.npz'}", "--device=raspberry-pi-4"),
        *("--trust-model", "--out=out", "--max-drop=0.02", "--details=false"),
    )
    assert code == 0, err
    assert "60 → " in out and "its library" in " ".join(out.split())
    code, out, err = run("repeat", "out/manifest.json")
    assert code == 0 and "the same bytes" in out, err
    for command in ("inspect", "check"):
        extra = ("--device=rp2350",) if command == "check" else ()
        code, out, err = run(command, "out/digits.tflite", *extra)
        assert "GATHER" in out or "flash" in out, err


@pytest.mark.slow
def test_tensorflow_is_never_imported(folder: Path) -> None:
    script = (
        "import sys, tflite_compress\n"
        f"r = tflite_compress.compress({str(folder / 'digits.skops')!r}, 'rp2040', details=False,\n"
        f"    data={str(folder / 'digits.npz')!r}, out='out')\n"
        "assert r.tflite.exists()\n"
        "assert not {'tensorflow', 'tf_keras', 'keras'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_names_of_classes_are_understood(folder: Path) -> None:
    made = tflite_compress.compress(
        folder / "cancer.skops", "raspberry-pi-4", "forest-exact", data=folder / "cancer.npz", details=False
    )
    assert made.report.accuracy.before == made.report.accuracy.after > 0.85
    with np.load(folder / "cancer.npz") as arrays:
        strange = np.where(arrays["y_test"] == "benign", "harmless", "malignant")
        np.savez("strange.npz", x=arrays["x_test"], y=strange)
    with pytest.raises(CompressError, match="harmless") as caught:
        tflite_compress.compress(folder / "cancer.skops", "rp2040", data="strange.npz")
    assert "benign, malignant" in present(caught.value.hint)


@pytest.mark.slow
def test_an_estimator_from_memory_and_missing_values() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 4)).astype(np.float32)
    y = np.where(x[:, 0] > 0, x[:, 1], -x[:, 2])
    x[rng.random(x.shape) < 0.1] = np.nan
    model = HistGradientBoostingRegressor(max_iter=30, random_state=0).fit(x[:300], y[:300])
    made = tflite_compress.compress(
        model, "rp2040", train=(x[:300], y[:300]), evaluate=(x[300:], y[300:]), max_drop=0.03
    )
    assert made.passed
    found = predict(made.tflite.read_bytes(), (x[300:],), ("features",), ("prediction",))[0]
    assert np.isfinite(found).all()
    code = present(present(made.report.forest).code)
    assert present(code.agreement).is_within_rounding
    assert not any("NaN are not looked after" in note for note in texts(made.report))


@pytest.mark.parametrize(
    ("arguments", "problem", "step"),
    [
        (("digits.joblib", "--data=digits.npz"), "runs the code in it", "--trust-model"),
        (("digits.skops",), "no data was given", "forest-exact"),
        (("digits.skops", "--data=cancer.npz"), "(samples, 64)", "Reshape"),
        (("digits.skops", "--data=digits.npz", "--recipe=int8"), "for neural networks", "--recipe=forest"),
        (("digits.skops", "--data=digits.npz", "--sparsity=0.5"), "no such setting", "share"),
        (("nan.skops", "--data=nan.npz"), "NaN", "HistGradientBoosting"),
        (("svc.skops", "--data=digits.npz"), "SVC is not supported", "decision trees"),
        (("gone.skops", "--data=digits.npz"), "no such file", "path"),
    ],
)
def test_bad_input_is_named_with_what_to_do(
    run: Run, folder: Path, arguments: tuple[str, ...], problem: str, step: str
) -> None:
    from sklearn.ensemble import GradientBoostingClassifier

    for path in folder.iterdir():
        if path.is_file():
            Path(path.name).symlink_to(path)
    x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    skops.io.dump(GradientBoostingClassifier(n_estimators=2).fit(x, y), "nan.skops")
    x[3, 1] = np.nan
    np.savez("nan.npz", x=x, y=y)
    skops.io.dump(SVC().fit(np.eye(4), [0, 1, 0, 1]), "svc.skops")
    code, out, err = run("compress", *arguments, "--device=rp2040", "--out=out")
    assert code == 2, out
    assert problem in err and step in err and "Traceback" not in err
    assert not Path("out").exists()


@pytest.mark.parametrize("command", ["search", "diagnose"])
def test_commands_for_networks_say_so(run: Run, folder: Path, command: str) -> None:
    code, _, err = run(command, folder / "digits.skops", "--device=rp2040", f"--data={folder / 'digits.npz'}")
    assert code == 2 and "is for neural networks" in err and "compress" in err


def test_networks_refuse_recipes_for_trees(run: Run, digits: Path, digits_data: Path) -> None:
    code, _, err = run("compress", digits, "--device=rp2040", f"--data={digits_data}", "--recipe=forest")
    assert code == 2 and "is for decision trees" in err and "--recipe=int8" in err


@pytest.mark.slow
def test_other_recipes_do_what_they_say(folder: Path) -> None:
    made = {
        recipe: tflite_compress.compress(
            folder / "digits.skops",
            "rp2040",
            recipe,
            data=folder / "digits.npz",
            out=recipe,
            details=False,
            max_drop=0.03,
            bundle=False,
        )
        for recipe in ("forest-exact", "forest-int16", "forest-distill")
    }
    exact, narrow, taught = (made[name].report for name in made)
    assert exact.distance.max_abs < 1e-6
    assert present(narrow.forest).after.leaf_values == "int16"
    assert narrow.accuracy.drop <= 0.005
    assert all(m.passed for m in made.values())
    if "distilled" in taught.recipe.summary and not any("not distilled" in n for n in texts(taught)):
        forest = present(taught.forest)
        assert forest.after.depth < forest.before.depth
    assert all(decode_report(encode_report(m.report)) == m.report for m in made.values())


@pytest.mark.slow
def test_a_limit_violation_is_reported(run: Run, folder: Path) -> None:
    arguments = ("compress", folder / "digits.skops", f"--data={folder / 'digits.npz'}", "--device=rp2040")
    code, out, err = run(*arguments, "--max-drop=0.02", "--max-flash=20KB", "--out=out", "--details=false")
    assert code == 1 and "✗ too large: flash about" in out and "of 20 KB" in out, err
    assert "trying" not in err  # fallbacks give larger files
