"""LiteRT.js in a real headless Chromium, on both accelerators; without a browser, what is said about it."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.needs import tool
from tests.runtimes.stateful import accumulator
from tests.timing.models import dense
from tflite_compress.data.raw import random_data
from tflite_compress.runtimes import browser, litert_js, litert_web
from tflite_compress.runtimes.browser import run_page
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.runtimes.compare import compare
from tflite_compress.runtimes.litert_web import check_web_types, fix_batch, web_runtime
from tflite_compress.runtimes.run_result import RunResult
from tflite_compress.support.errors import ModelError, UsageError
from tflite_compress.tflite.flatbuffer import pack, unpack
from tflite_compress.tflite.tensor_specs import FileTensorSpec, Signature, read_signature

REFUSED = """ERROR: Following operations are not supported by GPU delegate:
GATHER_ND: Operation is not supported.
1 operations will run on the GPU, and the remaining 1 operations will run on the CPU."""


def posted(**changes: object) -> bytes:
    latency = {"median": 1.0, "p90": 1.0, "min": 1.0, "runs": 5}
    agent = "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/156.0.0.0 Safari/537.36"
    reply = {"log": "", "outputs": [], "latency": latency, "load_ms": 2.0, "gpu": None, "agent": agent}
    return json.dumps({**reply, **changes}).encode()


def test_a_gpu_in_software_gives_no_measured_time() -> None:
    cpu = litert_web._read(posted(), "wasm", ())
    gpu = litert_web._read(posted(gpu="google swiftshader"), "webgpu", ())
    assert [m.kind for m in cpu.measurements] == ["measured"] * 2
    assert [m.kind for m in gpu.measurements] == ["simulated"] * 2
    assert "google swiftshader" in gpu.measurements[0].source
    assert cpu.runtime.endswith("(wasm) in Chromium 156")


def test_the_log_says_what_the_gpu_leaves_to_the_cpu() -> None:
    found = litert_web._read(posted(gpu="x", log="INFO: start\n" + REFUSED, is_whole=True), "webgpu", ())
    (note,) = found.notes
    assert (note.code, note.severity) == ("gpu-part", "warning")
    assert note.text == "the GPU computes 1 operators and the CPU 1 (GATHER_ND: Operation is not supported)"
    (note,) = litert_web._read(posted(gpu="x"), "webgpu", ()).notes
    assert note.code == "gpu-whole"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"error": "ERROR: [a.cc:2] └ ERROR: [c.h:7]\nWARNING: only static sizes (tensor#-1)"},
            "LiteRT.js refuses the model: only static sizes (tensor#-1)",
        ),
        ({"outputs": [{"dtype": "<f4", "shape": [9], "base64": "AAAA"}]}, "the page's reply cannot be read"),
    ],
)
def test_failures_of_the_page(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        litert_web._read(posted(**changes), "wasm", ())
    assert caught.value.message.startswith(message)


def test_types_that_litert_js_lacks_are_named() -> None:
    for type_, scale, hint in (("INT8", 0.1, "--io=float32"), ("INT64", 0.0, "int32")):
        spec = FileTensorSpec("x", 0, (1, 4), type_, scale, 0)
        with pytest.raises(ModelError, match=f"'x' is of type {type_.lower()}") as caught:
            check_web_types(Signature((spec,), ()))
        assert caught.value.hint is not None and hint in caught.value.hint


def test_an_open_batch_is_fixed() -> None:
    tree = unpack(dense(4))
    for tensor in (tree.subgraphs[0].tensors[i] for i in (0, 2, 4)):
        tensor.shapeSignature = [-1, 4]
    fixed, notes = fix_batch(pack(tree))
    assert [n.code for n in notes] == ["batch-fixed"]
    assert read_signature(fixed).inputs[0].shape == (1, 4)
    assert fix_batch(fixed) == (fixed, ())


def test_unknown_accelerators_are_refused() -> None:
    with pytest.raises(UsageError, match="no accelerator 'webnn'"):
        find_runtime("litert-web:webnn", Remote())


@pytest.mark.parametrize(
    ("call", "name"), [(browser.find_browser, "chromium"), (litert_js.fetch_packages, "npm")]
)
def test_what_is_missing_is_named(
    call: Callable[[], object], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.hint is not None and f"apt-get install {name}" in caught.value.hint


def script(folder: Path, body: str) -> None:
    program = folder / "chromium"
    program.write_text(f"#!{sys.executable}\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import sys; sys.exit('no usable sandbox')", "Chromium ended: no usable sandbox"),
        ("import time; print('busy', flush=True); time.sleep(60)", "Chromium did not reply in 0.4 s: busy"),
    ],
)
def test_a_browser_that_fails(
    body: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path, body)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        run_page("page.html", {}, {}, (), 0.4)
    assert caught.value.message == message


def test_the_server_gives_only_what_it_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in place of the browser asks for files inside and outside."""
    body = """
import sys, urllib.error, urllib.request
page = sys.argv[-1]
root = page.rpartition("/")[0]
def ask(url):
    try:
        return urllib.request.urlopen(url).read().decode()
    except urllib.error.HTTPError as error:
        return str(error.code)
wrong = root.rpartition("/")[0] + "/page.html"
urls = [page, root + "/lib/a.js", root + "/lib/../secret", root + "/lib/none", wrong]
urllib.request.urlopen(root + "/reply", data=" ".join(map(ask, urls)).encode())
"""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.js").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    script(tmp_path, body)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = run_page("page.html", {"page.html": b"page"}, {"lib": tmp_path / "lib"}, (), 20)
    assert found.decode() == "page inside 404 404 404"


def needs_browser() -> None:
    tool("chromium", "chromium")
    tool("npm", "npm")


@pytest.mark.slow
def test_both_accelerators_compute_what_litert_computes() -> None:
    needs_browser()
    content = dense(10)
    runtimes = {f"litert-web:{a}": web_runtime(a, 0.1) for a in litert_web.ACCELERATORS}
    for comparison in compare(content, random_data(read_signature(content), 3).raw, runtimes):
        result = comparison.result
        assert comparison.is_same is True and isinstance(result, RunResult)
        assert result.outputs is not None and result.outputs[0].shape == (3, 1, 10)
        latency = result.measurement("latency")
        assert latency is not None and latency.value > 0
        assert latency.kind == ("simulated" if "webgpu" in comparison.runtime else "measured")


@pytest.mark.slow
def test_a_model_with_state_runs_fresh_and_as_a_sequence() -> None:
    needs_browser()
    data = random_data(read_signature(accumulator()), 3).raw
    found = web_runtime("wasm", 0.05)(accumulator(), data)
    assert found.outputs is not None and found.sequence is not None
    assert np.allclose(found.outputs[0], data[0]) and np.allclose(found.sequence[0], np.cumsum(data[0], 0))
