from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

from tflite_compress.support.progress import Lines

CODE = """
import time
from tflite_compress.support.progress import Lines, Terminal
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
    lines = re.sub(r"[\d.]+ s(, [\d.]+ per s)?", "N s", done.stderr).splitlines()
    assert lines == ["something unknown: N s", "training: 4 in N s", "finished [really]"]
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
    assert "training" in text and "2 of 4" in text and "something unknown" in text
    assert "finished [really]" in text


def test_long_steps_say_how_far_they_are() -> None:
    said: list[str] = []
    now = [0.0]
    advance = Lines("training", 400, said.append, lambda: now[0])
    for _ in range(4):
        now[0] += 6
        advance(50)
    at_12_and_24_s = [
        "  training: 100 of 400, about 36 s left",
        "  training: 200 of 400, about 24 s left",
    ]
    assert said == at_12_and_24_s
    now[0] += 20
    advance(200)
    assert said[2:] == ["  training: 400 of 400"]


def test_the_time_left_waits_for_a_timed_unit_and_leaves_the_start_out() -> None:
    """The first unit takes 15 s, for its compilation; the others 1 s each."""
    said: list[str] = []
    now = [15.0]
    advance = Lines("training", 100, said.append, lambda: now[0])
    now[0] += 15
    advance(1)
    assert said == ["  training: 1 of 100"]
    for _ in range(10):
        now[0] += 1
        advance(1)
    assert said[1:] == ["  training: 11 of 100, about 89 s left"]


def test_the_time_left_follows_the_pace_of_the_last_lines() -> None:
    """An earlier run did 600 units. The next 10 take 10 s each, and the others 1 s."""
    said: list[str] = []
    now = [0.0]
    advance = Lines("training", 1000, said.append, lambda: now[0])
    advance(600)
    for seconds in [10] * 10 + [1] * 40:
        now[0] += seconds
        advance(1)
    assert said[0] == "  training: 601 of 1,000, about 3,990 s left"
    assert said[-1] == "  training: 650 of 1,000, about 350 s left"


def test_steps_of_unknown_length_say_what_is_done() -> None:
    said: list[str] = []
    now = [0.0]
    advance = Lines("reading", None, said.append, lambda: now[0])
    now[0] = 10
    advance(1200)
    assert said == ["  reading: 1,200"]


def test_a_finished_step_states_its_time_and_rate() -> None:
    said: list[str] = []
    now = [0.0]
    advance = Lines("training", 400, said.append, lambda: now[0])
    now[0] = 8
    advance(400)
    advance.finish()
    assert said == ["training: 400 in 8.0 s, 50 per s"]
