"""LiteRT.js from npm in the user's cache folder: the versions and hashes of ``web/package-lock.json``."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from tflite_compress.runtimes.isolated import last_line, run_child
from tflite_compress.support.cache_folder import cache_folder
from tflite_compress.support.errors import UsageError

FILES = Path(__file__).with_name("web")
LOCK, PACKAGE = "package-lock.json", "package.json"
FETCH_S = 300


@functools.cache
def litert_js_version() -> str:
    """Return the version of LiteRT.js that the lock file names."""
    lock = json.loads((FILES / LOCK).read_text())
    version: str = lock["packages"]["node_modules/@litertjs/core"]["version"]
    return version


def import_map() -> str:
    """Return the import map of a page beside ``node_modules``, as JSON for its ``<script>``."""
    return (FILES / "importmap.json").read_text().strip()


def find_packages() -> Path:
    """Return the folder of the fetched packages; its name has a digest of the lock file."""
    digest = hashlib.sha256((FILES / LOCK).read_bytes()).hexdigest()[:12]
    return cache_folder() / f"litertjs-{litert_js_version()}-{digest}"


def fetch_packages() -> Path:
    """Return the folder with ``node_modules``; fetch the packages if they are not there.

    Raises:
        UsageError: npm is missing, or fails.
    """
    target = find_packages()
    if target.is_dir():
        return target
    npm = shutil.which("npm")
    if npm is None:
        raise UsageError(
            "npm is missing: it fetches LiteRT.js once (38 MB)",
            "Install Node.js with npm, for example apt-get install npm.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".litertjs-", dir=target.parent) as name:
        work = Path(name) / "new"
        work.mkdir()
        for file in (PACKAGE, LOCK):
            shutil.copy(FILES / file, work / file)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", f"--prefix={work}"]
        done = run_child(command, "npm", seconds=FETCH_S, limit_memory=False)
        if done.returncode:
            reason = last_line(done.stderr) or last_line(done.stdout)
            raise UsageError(
                f"npm failed to fetch LiteRT.js: {reason}", "Check the network, then run it again."
            )
        if not target.exists():
            work.rename(target)
    return target
