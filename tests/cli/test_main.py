from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import Run
from tests.needs import slow
from tests.timing.models import dense
from tflite_compress.profiles.toml_files import bundled_folder, bundled_names

COMMAND = [sys.executable, "-m", "tflite_compress"]


HEAVY = (
    "tensorflow",
    "keras",
    "tf_keras",
    "tensorflow_model_optimization",
    "optuna",
    "matplotlib",
    "sklearn",
    "ray",
)
HEAVIER_THAN_A_LIST = (
    *HEAVY,
    "numpy",
    "ai_edge_litert",
    "tflite_micro",
    "jinja2",
    "pygments",
    "rich.progress",
)


def imported_by(words: list[str], unwanted: tuple[str, ...]) -> set[str]:
    """Those of some modules that a command imports, in a process of its own."""
    code = (
        "import sys\nfrom tflite_compress.cli.main import main\n"
        f"code = main({words!r})\n"
        "print('imported', *sys.modules)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()) & set(unwanted)


@pytest.mark.parametrize(
    "words",
    ["--help", "compress --help", "devices", "devices rp2040", "recipes", "recipes int8"],
)
def test_lists_and_help_import_no_numpy(words: str) -> None:
    assert not imported_by(words.split(), HEAVIER_THAN_A_LIST)


def test_help_imports_neither_fire_nor_rich() -> None:
    assert not imported_by(["check", "--help"], ("fire", "rich", "msgspec", "asyncio"))


@pytest.mark.parametrize(
    "words",
    ["inspect MODEL", "check MODEL --device=rp2040", "benchmark MODEL --seconds=0.1",
     "compress DIGITS --device=rp2040 --data=DATA --sparsity=0.5 --recipe=prune-int8 --dry-run"],
)  # fmt: skip
def test_commands_that_need_no_training_import_no_tensorflow(
    words: str, tmp_path: Path, digits: Path, digits_data: Path
) -> None:
    (tmp_path / "m.tflite").write_bytes(dense(16))
    files = {"MODEL": "m.tflite", "DIGITS": str(digits), "DATA": str(digits_data)}
    for name, file in files.items():
        words = words.replace(name, file)
    assert not imported_by(words.split(), HEAVY)


def test_help_names_every_command(run: Run) -> None:
    from tflite_compress.cli.command_registry import all_commands

    code, out, _ = run("--help")
    assert code == 0 and all(
        f"  {name}  " in out and c.summary[:40] in out for name, c in all_commands().items()
    )


def test_devices_and_recipes_list_everything(run: Run) -> None:
    for kind in ("devices", "recipes"):
        code, out, _ = run(kind)
        assert code == 0 and all(name in out for name in bundled_names(kind))


def test_one_device_and_one_recipe(run: Run) -> None:
    code, out, _ = run("devices", "arduino-nano-33-ble")
    assert code == 0 and "Cortex-M4F" in out and "256 KB" in out and "Product" in out
    code, out, _ = run("recipes", "prune-int8")
    text = " ".join(out.split())
    assert code == 0 and "--sparsity 0.8 Share of the pruned layers' weights that becomes zero" in text
    assert "Accepts: number from 0 below 1." in text and "prune: Set weights to zero and fine-tune" in text


def test_profiles_and_plans_as_json(run: Run, digits: Path, digits_data: Path) -> None:
    listed = json.loads(run("devices", "--json")[1])
    assert [device["name"] for device in listed] == bundled_names("devices")
    assert json.loads(run("devices", "pico", "--json")[1])["memory"]["ram_bytes"] == 270_336
    assert json.loads(run("recipes", "float16", "--json")[1])["passes"][0]["precision"] == "float16"
    assert len(json.loads(run("recipes", "--json")[1])) == len(bundled_names("recipes"))
    code, out, _ = run("compress", digits, "-d=pico", f"--data={digits_data}", "--dry-run", "--json")
    (plan,) = json.loads(out)
    assert code == 0 and plan["device"] == "rp2040" and plan["candidates"][0]["name"] == "int8"
    assert plan["notes"][-1]["code"] == "recipe-by-profile"


@pytest.mark.parametrize(("kind", "name"), [("devices", "pico"), ("recipes", "prune-int8")])
def test_bundled_files_are_printed_as_toml(run: Run, kind: str, name: str, tmp_path: Path) -> None:
    code, out, _ = run(kind, name, "--toml")
    file = {"pico": "rp2040"}.get(name, name)
    assert code == 0 and out == (bundled_folder(kind) / f"{file}.toml").read_text()
    (tmp_path / "mine.toml").write_text(out)
    assert run(kind, "mine.toml", "--toml") == (0, out, "")
    code, _, err = run(kind, "--toml")
    assert code == 2 and "NAME is missing" in err


def test_dry_run_prints_the_plan_and_writes_nothing(
    run: Run, digits: Path, digits_data: Path, tmp_path: Path
) -> None:
    code, out, _ = run(
        "compress", digits, "--device=esp32", "--recipe=prune-int8", "--sparsity=0.6", "--dry-run",
        f"--data={digits_data}",
    )  # fmt: skip
    assert code == 0 and "prune.sparsity = 0.6" in out and "int16x8" in out and "nothing was run" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_compress_for_three_devices_writes_three_results(
    run: Run, digits: Path, digits_data: Path, tmp_path: Path
) -> None:
    devices = "raspberry-pi-4,android-gpu,arduino-nano-33-ble"
    code, out, err = run("compress", digits, f"--device={devices}", f"--data={digits_data}", "--out=result")
    assert code == 0, err
    assert out.count("✓ ready") == 6 and "float16" in out and "not the device's" in " ".join(out.split())
    assert {p.name for p in (tmp_path / "result").iterdir()} == {*devices.split(","), "manifest.json"}
    for noise in ("WARNING", "I0000", "oneDNN", "INFO:", "Traceback", "W0000"):
        assert noise not in err


@pytest.mark.slow
def test_a_recipes_keys_are_options(run: Run, digits: Path, digits_data: Path, tmp_path: Path) -> None:
    code, out, err = run(
        "compress", digits, "--device=android-gpu", f"--data={digits_data}", "--precision=dynamic",
        "--slim=full", "--out=o", "--json", "--bundle=false", "--details=false",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)[0]["recipe"]["summary"] == "dynamic"


@pytest.mark.parametrize("recipe", [slow("float16"), "dynamic"])
def test_evaluation_data_alone_is_enough_where_nothing_is_trained_or_calibrated(
    run: Run, digits: Path, digits_arrays: dict[str, Any], tmp_path: Path, recipe: str
) -> None:
    import numpy as np

    np.savez(tmp_path / "test.npz", x=digits_arrays["x_test"], y=digits_arrays["y_test"])
    code, out, err = run(
        "compress", digits, "--device=android-cpu", f"--recipe={recipe}", "--eval=test.npz", "--out=o",
        "--no-bundle", "--no-details", "--json",
    )  # fmt: skip
    assert code == 0, err
    accuracy = json.loads(out)[0]["accuracy"]
    assert accuracy["samples"] == len(digits_arrays["y_test"]) and accuracy["after"] > 0.9


def test_evaluation_data_alone_is_refused_where_more_is_needed(
    run: Run, digits: Path, digits_data: Path
) -> None:
    for command, needs in (
        ("compress", "calibrates int8 ranges"),
        ("search", "trains"),
        ("diagnose", "calibrate"),
    ):
        err = bad(run, command, digits, "--device=rp2040", f"--eval={digits_data}")
        assert needs in err and "--data" in err
    err = bad(run, "compress", digits, "--device=rp2040", "--recipe=prune-int8", f"--eval={digits_data}")
    assert "trains and only evaluation data was given" in err


@pytest.mark.slow
def test_custom_objects_and_trusted_code(run: Run, keras: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "my_layers.py").write_text(
        "import keras\n"
        "class Twice(keras.layers.Layer):\n"
        "    def call(self, x):\n"
        "        return x * 2\n"
        "objects = {'Twice': Twice}\n"
    )
    from tflite_compress.support.references import resolve_reference

    twice = resolve_reference("my_layers:Twice", "--x")
    layers = [keras.Input((4,)), twice(name="t"), keras.layers.Lambda(lambda x: x + 1, name="l")]
    keras.Sequential(layers).save("m.keras")
    common = ("compress", "m.keras", "--device=android-gpu", "--out=o")
    assert "--custom-objects" in run(*common, "--trust-model")[2]
    assert "--trust-model" in run(*common, "--custom-objects=my_layers:objects")[2]
    code, _, err = run(*common, "--trust-model", "--custom-objects=my_layers:objects")
    assert code == 0, err


def test_accuracy_that_cannot_be_kept_exits_1(
    run: Run, digits: Path, digits_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "harsh.toml").write_text(
        'name = "harsh"\nsummary = "too much"\n[[passes]]\npass = "prune"\nsparsity = 0.99\n'
        "keep_ends = false\n[passes.training]\nepochs = 1\nmin_steps = 20\n"
        '[[passes]]\npass = "convert"\nprecision = "int8"\n'
    )
    code, out, err = run(
        "compress", digits, "--device=raspberry-pi-4", "--recipe=harsh.toml", f"--data={digits_data}",
        "--max-drop=0.001", "--out=o", "--bundle=false", "--details=false",
    )  # fmt: skip
    assert code == 1, err
    assert (tmp_path / "o" / "digits.failed.tflite").is_file()
    assert "accuracy after each pass:" in out and re.search(r": prune [\d.]+ %, convert [\d.]+ %", out)


def bad(run: Run, *arguments: object) -> str:
    """Run what must fail as bad input does: code 2, one message, a hint, no traceback, no output."""
    before = set(Path.cwd().rglob("*"))
    code, out, err = run(*arguments)
    assert code == 2, (code, out, err)
    assert "Traceback" not in err and out == ""
    message = [line for line in err.splitlines() if not re.search(r": (.* in )?[\d.]+ (s|min)\b", line)]
    assert 1 <= len(message) <= 3 and message[0].startswith("error: "), err
    left = {p for p in set(Path.cwd().rglob("*")) - before if p.suffix != ".pyc" and p.name != "__pycache__"}
    assert not left
    return err


DEVICE = "--device=raspberry-pi-4"


def test_bad_model_files(run: Run, digits: Path, digits_data: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.keras").write_bytes(digits.read_bytes()[:100_000])
    (tmp_path / "text.keras").write_text("not a model")
    data = f"--data={digits_data}"
    assert "no such file" in bad(run, "compress", "gone.keras", DEVICE, data)
    assert "damaged or cut off" in bad(run, "compress", "cut.keras", DEVICE, data)
    assert "not a Keras model" in bad(run, "compress", "text.keras", DEVICE, data)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ("x=np.zeros((0, 8, 8, 1)), y=np.zeros(0)", "no samples"),
        ("x=np.full((9, 8, 8, 1), np.nan)", "NaN"),
        ("x=np.zeros((9, 7, 8, 1))", "the model takes (samples, 8, 8, 1)"),
        ("x=np.zeros((9, 8, 8, 1)), y=np.arange(9) + 2", "classes 0 to 9"),
    ],
)
def test_bad_data(run: Run, digits: Path, tmp_path: Path, arrays: str, match: str) -> None:
    import numpy as np

    np.savez(tmp_path / "d.npz", **eval(f"dict({arrays})", {"np": np}))
    assert match in bad(run, "compress", digits, DEVICE, "--data=d.npz")


def test_images_of_different_sizes(run: Run, digits: Path, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "pics" / "a").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "pics" / "a" / "1.png")
    Image.new("L", (9, 8)).save(tmp_path / "pics" / "a" / "2.png")
    assert "--resize" in bad(run, "compress", digits, DEVICE, "--data=pics")


def test_bad_names_and_settings(run: Run, digits: Path, digits_data: Path, tmp_path: Path) -> None:
    data = f"--data={digits_data}"
    (tmp_path / "bad.toml").write_text('name = "b"\nsummary = "s"\n[[passes]]\npass = "shrink"\n')
    assert "Did you mean 'raspberry-pi-4'" in bad(run, "compress", digits, "--device=raspbery-pi-4", data)
    assert "bad.toml: passes[0]" in bad(run, "compress", digits, DEVICE, data, "--recipe=bad.toml")
    assert "no recipe is called" in bad(run, "compress", digits, DEVICE, data, "--recipe=tiny")
    assert "has no such setting" in bad(run, "compress", digits, DEVICE, data, "--sparsity=0.5")
    assert "expected a number" in bad(run, "compress", digits, DEVICE, data, "--max-drop=much")
    assert "unexpected argument: more" in bad(run, "compress", digits, "more", DEVICE, data)
    assert "no data was given" in bad(run, "compress", digits, DEVICE)
    assert "unknown command 'compres'" in bad(run, "compres", digits)
    assert "no such file" in bad(run, "compress", digits, DEVICE, "--data=gone.npz")
    assert "--metric=best" in bad(run, "compress", digits, DEVICE, data, "--metric=best")
    assert "cannot be read" in bad(run, "repeat", "gone.json")


def test_an_output_folder_that_is_taken(run: Run, digits: Path, digits_data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    err = bad(run, "compress", digits, DEVICE, f"--data={digits_data}", "--out=mine")
    assert "something other than a result" in err and (tmp_path / "mine" / "notes.txt").exists()


def test_a_read_only_output_folder(digits: Path, digits_data: Path, tmp_path: Path) -> None:
    """Root writes anywhere but on a read-only mount; others are stopped by permissions."""
    place = tmp_path / "locked"
    place.mkdir()
    place.chmod(0o555)
    inner = f"{' '.join(COMMAND)} compress {digits} {DEVICE} --data={digits_data} --out={place}/out"
    if os.getuid() == 0:
        command = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o ro none {place} && exec {inner}"]
    else:
        command = ["sh", "-c", inner]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine allows no mount namespace")
    assert done.returncode == 2 and "cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert "loading" not in done.stderr  # found out before any work


@pytest.mark.slow
def test_a_full_disk(digits: Path, digits_data: Path, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "small"
    place.mkdir()
    inner = (
        f"{' '.join(COMMAND)} compress {digits} {DEVICE} --data={digits_data} --out={place}/out; "
        f"code=$?; ls -A {place}; exit $code"
    )
    command = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size=16k none {place} && {inner}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine allows no mount namespace")
    assert done.returncode == 2 and "no space left" in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_ctrl_c_leaves_nothing(digits: Path, digits_data: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "compress", digits, DEVICE, f"--data={digits_data}", "--recipe=prune-int8",
         "--epochs=500", "--out=a/out"],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background shells ignore it
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("pruning to"):
            break
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=180)  # a busy machine saves its checkpoint slowly
    assert process.returncode == 130 and "interrupted" in err and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_long_unexpected_error_keeps_its_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ValueError("in user code:\n" + "  File model.py, line 1\n" * 50 + "shapes 3 and 4 differ")

    monkeypatch.setattr("tflite_compress.profiles.devices.load_device", fail)
    code, _, err = run("devices", "rp2040")
    assert code == 3 and "unexpected ValueError: in user code" in err and "shapes 3 and 4 differ" in err
    assert len(err) < 500 and "This is a bug" in err


def test_debug_shows_the_traceback(run: Run) -> None:
    from tflite_compress.support.errors import CompressError

    with pytest.raises(CompressError):
        run("compress", "gone.keras", DEVICE, "--data=x.npz", "--debug")
