from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tflite_compress
from tests.conftest import Run
from tflite_compress.compression.options import Options
from tflite_compress.data.gather import DataSpec
from tflite_compress.profiles.devices import load_device
from tflite_compress.runtimes.litert import predict
from tflite_compress.searching.engine import Process, WorkerDiedError
from tflite_compress.searching.job import Setup
from tflite_compress.searching.search import SearchSettings, search
from tflite_compress.support.errors import CompressError, UsageError


def words(digits: Path, data: Path, *more: str) -> list[str]:
    device = [] if any(word.startswith("--device=") for word in more) else ["--device=raspberry-pi-4"]
    return ["search", str(digits), f"--data={data}", *device, "--out=found", *more]


def accuracy(folder: Path, file: str, digits: Path, digits_data: Path) -> float:
    """Top-1 of a file on the evaluation split, worked out without the search."""
    from tflite_compress.data.gather import gather
    from tflite_compress.models.load import load_model

    network = load_model(digits).network
    samples = gather(DataSpec(str(digits_data)), network, 0).evaluate
    assert samples.labels is not None
    answers = predict((folder / file).read_bytes(), samples.inputs, *network.tensor_names)[0].argmax(1)
    return float(np.mean(answers == samples.labels[0]))


@pytest.mark.slow
def test_from_the_command_line(run: Run, digits: Path, digits_data: Path, tmp_path: Path) -> None:
    code, out, err = run(*words(digits, digits_data, "--trials=3", "--time-budget=3m"))
    assert code == 0, err
    assert "points/01" in out and "chosen: found/chosen/digits.tflite" in out
    record = json.loads((tmp_path / "found" / "search.json").read_text())
    assert [t["values"]["precision"] for t in record["trials"]] == ["int8"] * 3
    assert record["trials"][0]["values"]["bits:conv_2"] == 8 and record["sensitivity"]["channels"]
    assert sum(point["chosen"] for point in record["front"]) == 1
    for point in record["front"]:
        folder = tmp_path / "found" / point["folder"]
        assert point["verified"] and point["figures"]["size"] == (folder / point["file"]).stat().st_size
        assert accuracy(folder, point["file"], digits, digits_data) == pytest.approx(point["accuracy"])
        assert point["drop"] <= 0.01 and (tmp_path / "found" / point["recipe"]).is_file()
    assert (tmp_path / "found/chosen/bundle/README.md").is_file()
    assert "<svg" in (tmp_path / "found/pareto.svg").read_text()
    # The same command goes on: nothing is tried twice, and the limit on trials is that of all of them.
    code, out, err = run(*words(digits, digits_data, "--trials=3", "--time-budget=3m"))
    assert code == 0 and "trial 0" not in err
    # Another question in the same place is refused, and the result stays.
    code, out, err = run(*words(digits, digits_data, "--trials=3", "--max-drop=0.5"))
    assert code == 2 and "another max-drop" in err and "--restart" in err
    assert (tmp_path / "found/search.json").is_file()


@pytest.mark.slow
def test_a_model_object_is_searched_in_this_process_only(keras: ModuleType, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential([keras.Input((8,)), layers.Dense(32, activation="relu"), layers.Dense(2)])
    x = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    settings = SearchSettings(minimize=("size",), trials=2, time_budget_seconds=120)
    found = search(model, "rp2040", data=x, settings=settings, out="o", max_drop=0.5)
    assert isinstance(found, tflite_compress.SearchResult)
    assert found.chosen is not None and found.tflite is not None and found.tflite.is_file()
    many = SearchSettings(workers=2, trials=1)
    with pytest.raises(UsageError, match="exist only in this process"):
        search(model, "rp2040", data=x, settings=many, out="p")
    assert not Path("p").exists()


@pytest.mark.slow
def test_nothing_found_is_said(run: Run, digits: Path, digits_data: Path, tmp_path: Path) -> None:
    code, out, err = run(*words(digits, digits_data, "--trials=1", "--max-flash=1KB"))
    assert code == 1 and "nothing found" in out and "does not fit" in err


@pytest.mark.slow
def test_strict_chooses_only_what_is_established(
    run: Run, digits: Path, digits_data: Path, tmp_path: Path
) -> None:
    """450 samples cannot show that a drop is below 0.05 points."""
    code, out, err = run(*words(digits, digits_data, "--trials=1", "--max-drop=0.05%", "--strict"))
    assert code == 1 and "not established" in out and "no file is chosen" in " ".join((out + err).split())
    record = json.loads((tmp_path / "found" / "search.json").read_text())
    assert [point["chosen"] for point in record["front"]] == [False]
    assert record["front"][0]["outcome"] == "not-established"
    assert not (tmp_path / "found/chosen").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--minimize=sise", "Did you mean 'size'"),
        ("--minimize=size,size", "different objectives"),
        ("--time-budget=soon", "expected a time"),
        ("--time-budget=0s", "above 0"),
        ("--workers=0", "whole number from 1"),
        ("--trials=many", "whole number from 1"),
        ("--engine=slurm", "expected one of local, ray"),
        ("--sampler=best", "expected one of tpe, nsga2, random"),
        ("--device=rp2040,esp32", "expected one device"),
        ("--max-drop=lots", "expected a number"),
    ],
)
def test_wrong_options_exit_with_code_2(
    run: Run, digits: Path, digits_data: Path, option: str, message: str
) -> None:
    code, _, err = run(*words(digits, digits_data, option))
    assert code == 2 and message in err and "Traceback" not in err
    assert not Path("found").exists()


def test_without_data_there_is_nothing_to_compare(run: Run, digits: Path) -> None:
    code, _, err = run("search", str(digits), "--device=rp2040")
    assert code == 2 and "no data was given" in err


def test_a_folder_with_other_files_is_left_alone(run: Run, digits: Path, digits_data: Path) -> None:
    Path("found.search").mkdir()
    Path("found.search/thesis.txt").write_text("mine")
    code, _, err = run(*words(digits, digits_data))
    assert code == 2 and "is no search of this tool" in err
    assert Path("found.search/thesis.txt").read_text() == "mine"


def test_a_model_that_cannot_be_read(run: Run, digits_data: Path) -> None:
    Path("broken.keras").write_bytes(b"no zip")
    code, _, err = run("search", "broken.keras", f"--data={digits_data}", "--device=rp2040", "--trials=1")
    assert code == 2 and "broken.keras" in err and "Traceback" not in err
    assert not Path("searched").exists()


def setup_of(digits: Path, digits_data: Path) -> Setup:
    spec = DataSpec(str(digits_data))
    return Setup(str(digits), spec, Options(), load_device("raspberry-pi-4"), ("size",))


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(digits: Path, digits_data: Path) -> None:
    slot = Process(setup_of(digits, digits_data), 2)
    try:
        name = slot.call("identity").result(timeout=120)["name"]
        asked = slot.call("space")
        slot._child.kill()
        with pytest.raises(WorkerDiedError):
            asked.result(timeout=60)
        slot.restart()
        assert slot.call("identity").result(timeout=120)["name"] == name
    finally:
        slot.close()


@pytest.mark.slow
def test_a_worker_that_cannot_begin_says_why(digits_data: Path, tmp_path: Path) -> None:
    slot = Process(setup_of(tmp_path / "none.keras", digits_data), 2)
    try:
        with pytest.raises(CompressError, match=r"none\.keras"):
            slot.call("identity").result(timeout=120)
    finally:
        slot.close()


def outcomes_in(folder: Path) -> int:
    """How many stages a search has recorded."""
    import optuna

    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder}/study.db")
        trials = storage.get_all_trials(storage.get_all_studies()[0]._study_id)
        return sum(len(t.user_attrs.get("outcomes", [])) for t in trials)
    except Exception:
        return 0


@pytest.mark.marathon
def test_a_killed_search_continues(run: Run, digits: Path, digits_data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tflite_compress", *words(digits, digits_data, "--trials=6")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while outcomes_in(tmp_path / "found.search") < 2 and time.monotonic() < deadline:
        time.sleep(0.3)
    done = outcomes_in(tmp_path / "found.search")
    assert done >= 2 and process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(2)
    assert not _workers_in(tmp_path)
    assert not (tmp_path / "found").exists()
    code, _, err = run(*words(digits, digits_data, "--trials=6", "--time-budget=4m"))
    assert code == 0 and "continuing a search" in err
    record = json.loads((tmp_path / "found/search.json").read_text())
    assert [t["trial"] for t in record["trials"]] == [0, 1, 2, 3, 4, 5]
    assert err.count("trial 0:") == 0 and all(t["outcomes"] for t in record["trials"])
    points = [json.dumps(t["values"], sort_keys=True) for t in record["trials"]]
    assert len(set(points)) == len(points)


def _workers_in(folder: Path) -> list[str]:
    """Worker processes that run in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd") == str(folder):
                command = (entry / "cmdline").read_bytes().decode()
                found += [command] if "tflite_compress.searching.search_worker" in command else []
        except OSError:
            continue
    return found


@pytest.mark.marathon
@pytest.mark.parametrize(
    "more",
    [
        ("--workers=2", "--storage=shared/study.journal", "--sampler=nsga2"),
        ("--workers=2", "--engine=ray", "--storage=sqlite:///cluster.db"),
    ],
)
def test_two_workers(
    run: Run, digits: Path, digits_data: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    code, _, err = run(*words(digits, digits_data, "--trials=4", "--time-budget=5m", *more))
    assert code == 0, err
    record = json.loads((tmp_path / "found/search.json").read_text())
    assert len(record["trials"]) == 4 and record["front"]
    assert (tmp_path / more[-1].rpartition("/")[2]).exists() or (tmp_path / "shared/study.journal").exists()
    if "--engine=ray" in more:
        import ray

        ray.shutdown()


@pytest.mark.marathon
def test_a_microcontroller_and_a_repeat(run: Run, digits: Path, digits_data: Path, tmp_path: Path) -> None:
    more = ("--device=arduino-nano-33-ble", "--minimize=size,ram", "--trials=8", "--time-budget=4m")
    code, out, err = run(*words(digits, digits_data, *more))
    assert code == 0, err
    record = json.loads((tmp_path / "found/search.json").read_text())
    assert any(t["values"].get("clusters") for t in record["trials"])
    folder = record["front"][0]["folder"]
    code, out, err = run("repeat", f"found/{folder}/manifest.json", "--out=again")
    assert code == 0 and "the same bytes" in out
    recipe = f"--recipe=found/{folder}/recipe.toml"
    code, out, err = run(
        "compress",
        str(digits),
        f"--data={digits_data}",
        "--device=arduino-nano-33-ble",
        recipe,
        "--out=by-hand",
    )
    assert code == 0, err
    made = next(p for p in Path("by-hand").glob("*.tflite") if "plain" not in p.name)
    assert made.read_bytes() == (tmp_path / "found" / folder / record["front"][0]["file"]).read_bytes()
