"""The scripts are sourced by the shells themselves, and their functions asked as a Tab key asks them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tflite_compress.profiles.toml_files import bundled_names

Run = Callable[..., tuple[int, str, str]]
ASK = """
source ./script
ask() { COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=(); _tflite_compress; echo "${COMPREPLY[*]}"; }
complete -p tflite-compress
"""


def completed(run: Run, *lines: str) -> list[str]:
    """What bash offers for each line; it passes ``=`` as a word of its own."""
    Path("script").write_text(run("completion", "bash")[1])
    asked = "".join(f"ask tflite-compress {line}\n" for line in lines)
    done = subprocess.run(["bash", "-c", ASK + asked], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    function, *offered = done.stdout.splitlines()
    assert function == "complete -F _tflite_compress tflite-compress"
    return offered


def test_bash_completes_commands_options_and_names(run: Run) -> None:
    Path("model.tflite").touch()
    offered = completed(
        run, "ch", "check --max", "check m.tflite --device = rp", "check m.tflite -d rp2040,rp",
        "check m.tflite -d ''", "compress m.keras --recipe = tiny", "compress m.keras --spars", "devices rp",
        "recipes float", "search m.keras --sampler = n", "search m.keras --minimize = size,la",
        "check mod", "check m.tflite --json mod", "check m.tflite --ssh mod", "completion f",
    )  # fmt: skip
    assert offered == [
        "check", "--max-flash= --max-ram= --max-latency-ms=", "rp2040 rp2350", "rp2040,rp2040 rp2040,rp2350",
        " ".join(bundled_names("devices")), "tiny-mcu", "--sparse= --sparsity=", "rp2040 rp2350",
        "float16 float32", "nsga2", "size,latency", "model.tflite", "model.tflite", "", "fish",
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_names(run: Run) -> None:
    Path("script").write_text(run("completion", "fish")[1])
    for line, expected in (
        ("tflite-compress check m.tflite --device=rp", ["--device=rp2040", "--device=rp2350"]),
        ("tflite-compress compress m.keras -r tiny", ["tiny-mcu"]),
        ("tflite-compress devices rp", ["rp2040", "rp2350"]),
    ):
        words = ["fish", "--no-config", "-c", f"source ./script; complete -C '{line}'"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert [offer.partition("\t")[0] for offer in done.stdout.splitlines()] == expected


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_registers_its_function(run: Run) -> None:
    Path("script").write_text(run("completion", "zsh")[1])
    words = "autoload -Uz compinit; compinit -uD; source ./script; print -r -- ${_comps[tflite-compress]}"
    done = subprocess.run(["zsh", "-f", "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout == "_tflite_compress\n" and done.stderr == ""
