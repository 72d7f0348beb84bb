from __future__ import annotations

import os
import pty
import subprocess
import sys

CODE = """
import time
from tflite_compress.support.progress import Terminal
progress = Terminal()
with progress.step("training", 4) as advance:
    for _ in range(4):
        time.sleep(0.15)
        advance(1)
    with progress.step("something unknown"):
        time.sleep(0.3)
progress.say("finished [really]")
"""


def test_without_a_terminal_each_step_is_a_line() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["training ...", "something unknown ...", "finished [really]"]
    assert done.stdout == ""


def test_on_a_terminal_bars_are_drawn() -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", CODE], stderr=terminal, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    )
    os.close(terminal)
    drawn = b""
    while True:
        try:
            block = os.read(controller, 4096)
        except OSError:  # the other side is closed
            break
        if not block:
            break
        drawn += block
    os.close(controller)
    assert process.wait() == 0
    text = drawn.decode()
    assert "training" in text and "50%" in text and "something unknown" in text
    assert "finished [really]" in text


def test_a_long_step_without_a_terminal_says_how_many_and_what_is_left() -> None:
    code = """
import tflite_compress.support.progress as module
module.SECONDS_BETWEEN_LINES = 0.0
with module.Terminal().step("trying", 3) as advance:
    for _ in range(3):
        advance(1)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [
        "trying ...",
        "trying: 1 of 3, about 0 s left",
        "trying: 2 of 3, about 0 s left",
    ]
