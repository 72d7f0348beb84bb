"""Make the screenshots in ``docs/images`` from pages that the tool writes, in Chromium.

Run it after a change of the pages: ``python docs/screenshots.py``. It takes about a minute.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

import tflite_compress as tc
from tflite_compress.cli.main import main as run_command
from tflite_compress.runtimes.browser import find_browser

ROOT = Path(__file__).parent.parent
IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1180, 1000
COLORS = 64
OPTIONS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]


def main() -> int:
    """Write the images, and return the exit code."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        pages = _make_pages(Path(folder))
        browser = playwright.chromium.launch(executable_path=find_browser(), args=OPTIONS)
        for name, page in pages.items():
            _photograph(browser, page, IMAGES / f"{name}.png")
        browser.close()
    return 0


def _make_pages(folder: Path) -> dict[str, Path]:
    """Compress the bundled example and return the pages about it, by the name of the image."""
    model, data = ROOT / "examples/digits.keras", ROOT / "examples/digits.npz"
    result = tc.compress(str(model), device="arduino-nano-33-ble", data=str(data), out=folder / "digits")
    with contextlib.chdir(result.tflite.parent):
        if code := run_command(["check", result.tflite.name, "--device=all", "--html=check.html"]):
            raise SystemExit(code)
    return {name: result.tflite.parent / f"{name}.html" for name in ("report", "check")}


def _photograph(browser: Browser, page: Path, target: Path) -> None:
    """Write the top of a page as a PNG with few colours."""
    tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    tab.goto(page.as_uri())
    tab.screenshot(path=target)
    tab.close()
    Image.open(target).convert("P", palette=Image.Palette.ADAPTIVE, colors=COLORS).save(target, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
