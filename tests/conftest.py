"""Shared fixtures: the bundled example, tiny models, tiny data."""

from __future__ import annotations

import fcntl
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tflite_compress.passes import Context
    from tflite_compress.pipeline.candidates import Attempt
    from tflite_compress.reporting.detail_figures import Details
    from tflite_compress.scoring.reference import Reference
    from tflite_compress.timing.paired import Latency

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin slow down the other processes
os.environ.setdefault("XDG_CACHE_HOME", "/tmp/tflite-compress-tests-cache")
os.environ["TFLITE_COMPRESS_LEDGER"] = (
    "ledger.sqlite"  # in the test's folder: the user's own is not for tests
)
ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
DATA = Path(__file__).parent / "data"
sys.path.insert(0, str(ROOT / "benchmarks"))
Run = Callable[..., tuple[int, str, str]]  # the command line: exit code, standard output, standard error
BRIEF_SECONDS = 0.05  # for latency, where no test asks how exact it is
MANY_MODULES = 500
imported = [0]  # number of modules when garbage collections last left them out
# Of the fast tests: 15 s of processor time or more.
LONGEST = (
    "test_api.py",
    "test_c_source.py",
    "test_convert.py",
    "test_export.py",
    "test_fingerprints.py",
    "test_judge.py",
    "test_main.py",
    "test_readme.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of few long tests begin: a process that gets one last runs on alone."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_runtest_teardown() -> None:
    """Keep what large imports left out of garbage collections, which would look at it again and again."""
    if len(sys.modules) > imported[0] + MANY_MODULES:
        imported[0] = len(sys.modules)
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def keras() -> ModuleType:
    from tflite_compress.support.backend import keras3

    return keras3()


@pytest.fixture(scope="session")
def keras2() -> ModuleType:
    from tflite_compress.support.backend import tf_keras

    return tf_keras()


@pytest.fixture(scope="session")
def digits() -> Path:
    return EXAMPLES / "digits.keras"


@pytest.fixture(scope="session")
def digits_data() -> Path:
    return EXAMPLES / "digits.npz"


@pytest.fixture(scope="session")
def digits_arrays(digits_data: Path) -> dict[str, np.ndarray]:
    with np.load(digits_data) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs in a folder of its own, so nothing it writes stays."""
    monkeypatch.chdir(tmp_path)


def measure_briefly(
    baseline: bytes, attempt: Attempt, reference: Reference, seconds: float
) -> tuple[Latency, ...]:
    from tflite_compress.compression.host_latency import measure_host_latency

    return measure_host_latency(baseline, attempt, reference, min(seconds, BRIEF_SECONDS))


def collect_briefly(baseline: bytes, chosen: Attempt, context: Context, seconds: float) -> Details:
    from tflite_compress.reporting.details import collect_details

    return collect_details(baseline, chosen, context, min(seconds, BRIEF_SECONDS))


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process; gives exit code, standard output and standard error.

    ``compress``, which has no option for it, measures latency and operators for a shorter time.
    """
    from tflite_compress.cli.main import main

    def call(*arguments: object) -> tuple[int, str, str]:
        if arguments and arguments[0] == "compress":
            session = "tflite_compress.compression.session"
            monkeypatch.setattr(f"{session}.measure_host_latency", measure_briefly)
            monkeypatch.setattr(f"{session}.collect_details", collect_briefly)
        capfd.readouterr()
        code = main([str(a) for a in arguments])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def compressed(tmp_path_factory: pytest.TempPathFactory, digits: Path, digits_data: Path) -> Path:
    """The example compressed for a board, a phone and two microcontrollers, one of them with an NPU."""
    import tflite_compress

    in_worker = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    out = (base.parent if in_worker else base) / "compressed" / "digits"
    out.parent.mkdir(exist_ok=True)
    devices = ["raspberry-pi-4", "android-gpu", "arduino-nano-33-ble", "alif-ensemble-e7"]
    with open(out.parent / "lock", "w") as lock:  # the processes of one session share it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            tflite_compress.compress_many(digits, devices, data=digits_data, out=out, latency_seconds=0.05)
    return out


@pytest.fixture(scope="session")
def int8_file(compressed: Path) -> Path:
    """The example as int8 with integer inputs and outputs."""
    return compressed / "arduino-nano-33-ble" / "digits.tflite"


@pytest.fixture(scope="session")
def gpu_driver() -> Path:
    """The GPU accelerator's software driver, set up once for all sessions of this machine."""
    from tflite_compress.runtimes.gpu_setup import set_up_gpu
    from tflite_compress.support.errors import UsageError

    try:
        return set_up_gpu()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def emulator() -> Path:
    """The emulated aarch64 LiteRT, set up once for all sessions of this machine."""
    from tflite_compress.runtimes import emulator as module
    from tflite_compress.support.errors import UsageError

    try:
        return module.set_up()
    except UsageError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
