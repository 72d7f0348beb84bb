"""The bundle for a browser: its files, and the page in a real Chromium on both accelerators."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.bundling.test_gpu_parts import bundle as two_files
from tests.needs import tool
from tests.runtimes.stateful import accumulator
from tests.timing.models import dense
from tflite_compress.bundling import float16, make_bundle
from tflite_compress.bundling.bundle_registry import choose_device, list_formats
from tflite_compress.bundling.float16 import combine
from tflite_compress.bundling.kinds.web import _preprocess_body
from tflite_compress.bundling.vectors import find_preprocessing
from tflite_compress.data.raw import random_data
from tflite_compress.profiles.devices import load_device
from tflite_compress.runtimes.litert_js import fetch_packages
from tflite_compress.support.errors import ModelError, UsageError
from tflite_compress.tflite.flatbuffer import pack, schema, unpack
from tflite_compress.tflite.tensor_specs import read_signature

Run = Callable[..., tuple[int, str, str]]
LABELS = ("no", "yes", "<b>maybe</b>", "never")


def bundle(content: bytes, device: str = "web-wasm") -> dict[str, bytes]:
    """Make a bundle; the slow tests measure in float16."""
    data = random_data(read_signature(content), 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(float16, "installed_driver", lambda: None)
        return make_bundle(content, load_device(device), data, "my model", LABELS)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return bundle(dense(4))


def test_everything_is_there(files: dict[str, bytes]) -> None:
    assert set(files) == {
        *("index.html", "page.css", "page.js", "samples.js", "preprocess.js", "litert_model.js", "README.md"),
        *("package.json", "package-lock.json", "my_model.tflite", "model.json"),
        *("vectors/input_0.bin", "vectors/expected_0.bin"),
    }
    assert not any(b"@@" in content for path, content in files.items() if not path.endswith(".tflite"))
    assert "3 test vectors" in files["README.md"].decode()


def test_the_record_says_what_the_page_needs(files: dict[str, bytes]) -> None:
    record = json.loads(files["model.json"])
    assert record["file"] == "my_model.tflite" and record["accelerator"] == "wasm"
    assert record["labels"] == list(LABELS) and record["vectors"]["count"] == 3
    assert record["inputs"] == [{"name": "x", "type": "FLOAT32", "shape": [1, 4], "scale": 0, "zeroPoint": 0}]
    assert set(record["tolerance"]) == set(record["rule"]) == {"wasm", "webgpu"}
    expected = random_data(read_signature(files["my_model.tflite"]), 3).raw[0]
    assert np.array_equal(np.frombuffer(files["vectors/input_0.bin"], "<f4").reshape(3, 1, 4), expected)


def test_the_page_allows_its_own_files_only(files: dict[str, bytes]) -> None:
    page = files["index.html"].decode()
    (script,) = re.findall(r'<script type="importmap">(.*?)</script>', page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', page)
    assert (
        f"'sha256-{digest}'" in policy and "default-src 'none'" in policy and "connect-src 'self'" in policy
    )
    wanted = json.loads(script)["imports"]
    locked = json.loads(files["package-lock.json"])["packages"]
    assert {f"node_modules/{name}" for name in wanted} == set(locked) - {""}
    assert all(entry["integrity"].startswith("sha512-") for path, entry in locked.items() if path)


def test_the_gpu_is_the_default_of_its_device() -> None:
    record = json.loads(bundle(dense(4), device="web-webgpu")["model.json"])
    assert record["accelerator"] == "webgpu"


@pytest.mark.parametrize(
    ("name", "code"),
    [("none", "return values;"), ("unit", "(value - 0.0) / 255.0"), ("m:f", 'throw new Error("port')],
)
def test_preprocessing_in_javascript(name: str, code: str) -> None:
    assert code in _preprocess_body(find_preprocessing(name))


def test_an_open_batch_is_fixed_and_the_readme_says_so() -> None:
    tree = unpack(dense(4))
    for index in (0, 2, 4):
        tree.subgraphs[0].tensors[index].shapeSignature = [-1, 4]
    files = bundle(pack(tree))
    assert read_signature(files["my_model.tflite"]).inputs[0].shape == (1, 4)
    assert "the batch is set to 1" in files["README.md"].decode()


def test_vectors_of_a_model_with_state_are_one_sequence() -> None:
    files = bundle(accumulator())
    first, second = (
        np.frombuffer(files[f"vectors/{s}_0.bin"], "<f4").reshape(3, 4) for s in ("input", "expected")
    )
    assert np.allclose(np.cumsum(first, 0), second)
    assert "one\nsequence" in files["README.md"].decode() or "are one sequence" in files["README.md"].decode()


def test_types_without_an_array_in_litert_js_are_refused() -> None:
    g = schema()
    tree = unpack(dense(4))
    tree.subgraphs[0].tensors[0].type = g.TensorType.INT8
    with pytest.raises(ModelError):
        bundle(pack(tree))


def test_formats_and_their_devices() -> None:
    assert [entry.name for entry in list_formats()] == ["android", "cpp", "linux", "web"]
    assert choose_device(None, "web") == "web-wasm" and choose_device("esp32", "web") == "esp32"
    for format_, message in ((None, "--device is missing"), ("cpp", "needs a device"), ("wep", "'web'")):
        with pytest.raises(UsageError, match=message):
            choose_device(None, format_)
    content = dense(4)
    with pytest.raises(UsageError, match="format 'web' is for devices of kind browser"):
        make_bundle(content, load_device("esp32"), random_data(read_signature(content), 1), "m", format="web")


def test_the_command_needs_no_device_for_a_page(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(float16, "installed_driver", lambda: None)
    (tmp_path / "m.tflite").write_bytes(dense(4))
    code, out, err = run("bundle", tmp_path / "m.tflite", "--format=web", f"--out={tmp_path / 'page'}")
    assert code == 0, err
    assert (tmp_path / "page" / "index.html").is_file() and "README.md" in out


def test_float16_tolerances_are_measured_and_bounded() -> None:
    usual = combine([0.001], [0.0005], [0.02], "gpu")
    assert usual.values == (0.002,) and "measured on gpu" in usual.rule
    assert combine([0.001], [0.0], [0.02], "gpu").values == (0.001,)
    wrong = combine([0.001], [float("inf")], [0.02], "gpu")
    assert wrong.values == (0.02,) and "expect wrong outputs on a GPU" in wrong.rule


@pytest.fixture(scope="module")
def page_folder(compressed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's page with LiteRT.js beside it, as ``npm ci`` puts it there."""
    tool("npm", "npm")
    content = (compressed / "android-gpu" / "digits.tflite").read_bytes()
    data = random_data(read_signature(content), 4)
    labels = tuple("zero one two three four five six seven eight nine".split())
    folder = tmp_path_factory.mktemp("page")
    made = make_bundle(content, load_device("web-webgpu"), data, "digits", labels, find_preprocessing("none"))
    write_page(made, folder)
    write_page(two_files("web-webgpu")[0], folder / "pose")
    return folder


def write_page(made: dict[str, bytes], folder: Path) -> None:
    """Write a bundle with the packages that it needs."""
    for path, written in made.items():
        (folder / path).parent.mkdir(exist_ok=True, parents=True)
        (folder / path).write_bytes(written)
    (folder / "node_modules").symlink_to(fetch_packages() / "node_modules")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def address(page_folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=page_folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--no-first-run", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=tool("chromium", "chromium"), args=options)
        yield opened
        opened.close()


def visit(browser: Any, url: str, width: int, scheme: str) -> tuple[Any, list[str]]:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    inside = ("http://127.0.0.1:", "blob:", "data:")
    page.on("request", lambda r: None if r.url.startswith(inside) else complaints.append(r.url))
    page.goto(url)
    page.wait_for_selector("#check.good, #check.bad", timeout=60_000)
    return page, complaints


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accelerator", "width", "scheme"), [("wasm", 390, "dark"), ("webgpu", 1400, "light")]
)
def test_the_page_runs_and_checks_itself(
    browser: Any, address: str, tmp_path: Path, accelerator: str, width: int, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page, complaints = visit(browser, f"{address}/?accelerator={accelerator}", width, scheme)
    assert page.inner_text("#check") == "Yes: the outputs of all 4 test vectors are as expected."
    page.wait_for_selector("#time:enabled")
    assert ("swiftshader" in page.inner_text("#status")) == (accelerator == "webgpu")
    Image.fromarray(np.full((30, 20, 3), 9, np.uint8)).save(tmp_path / "grey.png")
    page.set_input_files("#file", tmp_path / "grey.png")
    page.wait_for_selector("#preview:visible")
    (tmp_path / "numbers.csv").write_text("1," * 63 + "1")
    page.set_input_files("#file", tmp_path / "numbers.csv")
    page.wait_for_selector("#preview", state="hidden")
    (tmp_path / "short.json").write_text("[[1, 2], 3]")
    page.set_input_files("#file", tmp_path / "short.json")
    page.wait_for_selector("#input:has-text('short.json has 3 numbers')")
    page.click("#time")
    page.wait_for_selector("#latency:has-text('Median')")
    assert len(page.query_selector_all("#outputs tbody tr")) == 10
    assert page.inner_text("#outputs td").strip() in "zero one two three four five six seven eight nine"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []


@pytest.mark.slow
@pytest.mark.parametrize("accelerator", ["wasm", "webgpu"])
def test_a_page_runs_a_model_of_two_files(browser: Any, address: str, accelerator: str) -> None:
    page, complaints = visit(browser, f"{address}/pose/?accelerator={accelerator}", 800, "light")
    assert page.inner_text("#check") == "Yes: the outputs of all 2 test vectors are as expected."
    page.wait_for_selector("#time:enabled")
    status = page.inner_text("#status")
    assert ("its post-processing on the CPU" in status) == (accelerator == "webgpu")
    page.click("#time")
    page.wait_for_selector("#latency:has-text('Median')")
    assert complaints == []


@pytest.mark.slow
def test_the_page_says_no_to_other_outputs(browser: Any, address: str, page_folder: Path) -> None:
    expected = page_folder / "vectors" / "expected_0.bin"
    right = expected.read_bytes()
    expected.write_bytes((np.frombuffer(right, "<f4") + np.float32(0.5)).tobytes())
    try:
        page, _ = visit(browser, f"{address}/?accelerator=wasm", 800, "light")
        assert page.inner_text("#check").startswith("No: the outputs of the 4 test vectors differ")
        assert page.inner_text("#check-details td:last-child") == "no"
    finally:
        expected.write_bytes(right)
