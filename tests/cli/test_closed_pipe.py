"""A command whose output nobody reads any more ends quietly."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tflite_compress.cli.main import PIPE_CLOSED


@pytest.mark.parametrize("words", [("devices",), ("recipes", "--json"), ("--help",)])
def test_a_closed_pipe_ends_the_command_without_a_message(words: tuple[str, ...]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "tflite_compress", *words]
    done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, check=False)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (PIPE_CLOSED, b"")
