"""Two thousand damaged ``.tflite`` files: one clear error or an answer each, no crash, no hang."""

from __future__ import annotations

import hashlib
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from tests.hostile.files import valid_files
from tests.hostile.mutations import mutated
from tests.needs import marathon_count
from tflite_compress.support.errors import CompressError

CRASHES = Path(__file__).parent / "crashes"
MUTATIONS = marathon_count(200, 20)  # of each of ten files
SECONDS_A_FILE = 60  # shapes blown up: the runtimes' children are stopped by their own limits before
PARENT_BYTES = 4 << 30


def looked_at(content: bytes, path: Path, device: str = "rp2040") -> str:
    """What the tool says of a file: ``refused``, or ``answered``. Anything but a CompressError is a bug."""
    from tflite_compress.checking.check_file import check_file
    from tflite_compress.inspection.inspect_file import inspect
    from tflite_compress.reporting.facts_page import facts_html
    from tflite_compress.reporting.inspection_page import inspection_page

    path.write_bytes(content)
    start = time.monotonic()
    try:
        facts_html(inspection_page(inspect(path)))
        verdicts = check_file(path, [device])
        word = "answered" if verdicts else "nothing"
    except CompressError as error:
        assert error.message and len(str(error).splitlines()) <= 2, error
        word = "refused"
    finally:
        path.unlink()
    assert time.monotonic() - start < SECONDS_A_FILE, path
    return word


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (PARENT_BYTES, resource.RLIM_INFINITY))


def _one(job: tuple[str, bytes, int, str]) -> tuple[str, int, str]:
    name, content, seed, folder = job
    spoilt = mutated(content, seed)
    try:
        device = ("rp2040", "raspberry-pi-4")[seed % 2]  # TFLite Micro and LiteRT in turns
        word = looked_at(spoilt, Path(folder) / f"{name}-{seed}.tflite", device)
    except BaseException as error:
        word = f"{type(error).__name__}: {error}"
    return name, seed, word


@pytest.mark.marathon
def test_two_thousand_mutations(digits: Path, keras: ModuleType, tmp_path: Path) -> None:
    files = valid_files(digits, keras)
    assert len(files) == 10
    jobs = [
        (name, content, 1000 * number + seed, str(tmp_path))
        for number, (name, content) in enumerate(files.items())
        for seed in range(MUTATIONS)
    ]
    context = multiprocessing.get_context("spawn")
    # A crash of the process itself ends the pool, and the test with it.
    with ProcessPoolExecutor(2, context, initializer=_limited) as pool:
        found = list(pool.map(_one, jobs, chunksize=20))
    bugs = [(name, seed, word) for name, seed, word in found if word not in ("refused", "answered")]
    assert bugs == []
    words = [word for _, _, word in found]
    assert words.count("refused") > len(jobs) / 4 and words.count("answered") > len(jobs) / 10
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", sorted(CRASHES.glob("*.tflite")), ids=lambda file: str(file.name))
def test_files_that_once_did_harm(file: Path, tmp_path: Path) -> None:
    for device in ("rp2040", "raspberry-pi-4"):
        word = looked_at(file.read_bytes(), tmp_path / "file.tflite", device)
        assert word in ("refused", "answered")


def test_equal_seeds_give_equal_files(int8_file: Path) -> None:
    content = int8_file.read_bytes()
    copies = [mutated(content, seed) for seed in range(60)]
    assert copies == [mutated(content, seed) for seed in range(60)]
    assert len({hashlib.sha256(c).digest() for c in copies}) > 50
