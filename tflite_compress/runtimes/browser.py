"""Run a page in a headless Chromium: a local server gives it files and takes its reply."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath

from tflite_compress.runtimes.isolated import last_line
from tflite_compress.support.errors import ModelError, UsageError

PROGRAMS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
REPLY = "reply"
_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".wasm": "application/wasm"}
_OPTIONS = (
    *("headless=new", "no-first-run", "no-default-browser-check", "disable-extensions", "disable-sync"),
    *("disable-background-networking", "disable-component-update", "disable-dev-shm-usage", "mute-audio"),
    "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_POLL_S = 0.05
_MAX_LOG = 64 * 1024


def find_browser() -> str:
    """Return the program of a Chromium.

    Raises:
        UsageError: There is none.
    """
    for name in PROGRAMS:
        found = shutil.which(name)
        if found is not None:
            return found
    raise UsageError(
        "no Chromium is installed: it runs LiteRT.js",
        "Install Chromium or Google Chrome, for example apt-get install chromium.",
    )


def run_page(
    page: str, files: Mapping[str, bytes], folders: Mapping[str, Path], options: Sequence[str], seconds: float
) -> bytes:
    """Open a page in a headless Chromium and return what it posts to ``reply``.

    Args:
        page: Path of the page on the server.
        files: Contents of files on the server, by path.
        folders: Folders on the server, by the first part of the path.
        options: More switches of Chromium, without dashes.
        seconds: Maximum time.

    Raises:
        UsageError: There is no Chromium.
        ModelError: The browser ends, or does not reply in time.
    """
    program = find_browser()
    inbox: list[bytes] = []
    arrived = threading.Event()
    with (
        _serve(files, folders, inbox, arrived) as address,
        tempfile.TemporaryDirectory(prefix="tflite-compress-", ignore_cleanup_errors=True) as profile,
    ):
        log = Path(profile) / "log.txt"
        switches = [*_OPTIONS, *options, f"user-data-dir={profile}/data"]
        if os.geteuid() == 0:
            switches.append("no-sandbox")  # Chromium refuses its sandbox to root
        command = [program, *(f"--{switch}" for switch in switches), f"{address}/{page}"]
        with _start(command, log) as browser:
            end = time.monotonic() + seconds
            while not arrived.wait(_POLL_S):
                if browser.poll() is not None:
                    raise ModelError(f"Chromium ended: {_last_words(log)}", "Start it by hand to see why.")
                if time.monotonic() > end:
                    raise ModelError(
                        f"Chromium did not reply in {seconds:g} s: {_last_words(log)}",
                        "The model is too large or broken.",
                    )
    return inbox[0]


@contextlib.contextmanager
def _start(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program with its children in a process group of their own, which ends with the context."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _last_words(log: Path) -> str:
    with contextlib.suppress(OSError):
        return last_line(log.read_bytes()[-_MAX_LOG:].decode(errors="replace")) or "it printed nothing"
    return "it printed nothing"


@contextlib.contextmanager
def _serve(
    files: Mapping[str, bytes], folders: Mapping[str, Path], inbox: list[bytes], arrived: threading.Event
) -> Iterator[str]:
    """Serve files under a secret address on this machine."""
    secret = secrets.token_urlsafe(16)
    handler = partial(_Handler, f"/{secret}/", files, folders, inbox, arrived)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _POLL_S}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/{secret}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers GET from files and folders, and keeps the body of a POST."""

    def __init__(
        self,
        root: str,
        files: Mapping[str, bytes],
        folders: Mapping[str, Path],
        inbox: list[bytes],
        arrived: threading.Event,
        *rest: object,
    ) -> None:
        self._root, self._files, self._folders = root, files, folders
        self._inbox, self._arrived = inbox, arrived
        super().__init__(*rest)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Send a file."""
        path = self._path()
        content = None if path is None else self._find(path)
        if path is None or content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", _TYPES.get(PurePosixPath(path).suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        """Keep the page's reply."""
        if self._path() != REPLY:
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        self._inbox.append(body)
        self._arrived.set()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def _path(self) -> str | None:
        return self.path.removeprefix(self._root) if self.path.startswith(self._root) else None

    def _find(self, path: str) -> bytes | None:
        if path in self._files:
            return self._files[path]
        first, _, rest = path.partition("/")
        folder = self._folders.get(first)
        if folder is None or ".." in rest.split("/") or not (folder / rest).is_file():
            return None
        return (folder / rest).read_bytes()
