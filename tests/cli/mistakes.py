"""Mistakes on the command line, and what comes back. ``python -m tests.cli.mistakes`` types and prints them.

The files that the command lines name: ``model.keras``, ``data.npz`` that fits it, ``model.tflite``.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.timing.models import dense

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@dataclass(frozen=True)
class Mistake:
    """A command line with a mistake.

    Attributes:
        line: What is typed after ``tflite-compress``.
        says: Part of the error message.
        hint: Part of the hint.
    """

    line: str
    says: str
    hint: str


DRY = "compress model.keras --dry-run"
MISTAKES = [
    # options
    Mistake("check model.tflite -d rp2040 --max-flahs=10KB", "Did you mean '--max-flash'?", "check --help"),
    Mistake("bundle model.tflite -d rp2040 --ot=x", "Did you mean '--out'?", "bundle --help"),
    Mistake("compress model.keras --devcie=rp2040", "Did you mean '--device'?", "compress --help"),
    Mistake("check --verbose model.tflite", "--device is missing", "check model.tflite --device=rp2040"),
    Mistake("compress model.keras -d rp2040 --threads=2", "an option of check, verify", "compress --help"),
    Mistake("search model.keras -d rp2040 --sparsity=0.5", "an option of compress and", "search --help"),
    Mistake("search model.keras -d rp2040 --sparsty=1", "'--sparsity' of compress and", "search --help"),
    Mistake("inspect model.tflite -d rp2040", "unknown option '-d'", "inspect --help"),
    Mistake("inspect --model=model.tflite", "MODEL is given without a name", "inspect model.tflite"),
    Mistake("compres model.keras", "Did you mean 'compress'?", "--help"),
    Mistake("inspect", "MODEL is missing", "inspect model.tflite"),
    Mistake("inspect model.tflite -q -v", "--quiet and --verbose exclude each other", "Remove one"),
    Mistake(f"{DRY} -d rp2040 --data=data.npz --sparsity=0.5", "prune-int8", "--recipe=prune-int8"),
    Mistake(f"{DRY} -d rp2040 --sparsity=0.5", "no such setting", "--recipe=prune-int8 --data=FILE.npz"),
    Mistake(
        f"{DRY} -d android-gpu --data=data.npz --sparsity=0.5", "prune-float16", "--recipe=prune-float16"
    ),
    # names
    Mistake("check model.tflite -d stm32", "Did you mean 'stm32f746' or 'stm32h743'?", "devices"),
    Mistake("check model.tflite -d picoo", "Did you mean 'pico' or 'pico2'?", "devices"),
    Mistake(f"{DRY} -d rp2040 -r flaot16", "Did you mean 'float16'?", "recipes"),
    Mistake("completion fsh", "expected one of bash, zsh, fish", "For example bash"),
    Mistake("devices --toml", "NAME is missing", "devices"),
    # values
    Mistake(f"{DRY} -d rp2040 --data=data.npz --max-drop=1", "1 % or 100 %?", "--max-drop=1% or"),
    Mistake(f"{DRY} -d rp2040 --data=data.npz --max-drop=much", "expected a number", "--max-drop=0.5pt"),
    Mistake(
        f"{DRY} -d rp2040 --data=data.npz --max-flash=20", "the unit is missing", "20KB or --max-flash=20B"
    ),
    Mistake(f"{DRY} -d rp2040 --data=data.npz --time-budget=5", "the unit is missing", "--time-budget=5m or"),
    Mistake("search model.keras -d rp2040 --data=data.npz --budget=5", "'--time-budget'?", "search --help"),
    Mistake("search model.keras -d rp2040 --data=data.npz --time-budget=5", "the unit is missing", "5m or"),
    Mistake("inspect model.tflite --graph", "expected a file that ends in .svg or .png", "--graph=graph.svg"),
    Mistake("inspect model.tflite --graph=graph.gif", "expected a file that ends", "--graph=graph.svg"),
    Mistake(f"{DRY} -d rp2040 --data=data.npz --io=floot", "one of auto, float32, integer", "--io=auto"),
    Mistake(
        f"{DRY} -d rp2040 -r prune-int8 --data=data.npz --sparsity=2", "from 0 below 1", "--sparsity=0.8"
    ),
    Mistake(f"{DRY} -d rp2040 -r prune-int8 --data=data.npz --epochs=x", "whole number", "--epochs=4"),
    Mistake("check model.tflite -d rp2040 --min-accuracy=0.9", "needs --data", "--data=test.npz"),
    Mistake("check model.tflite -d rp2040 --delegate=tpu", "one of cpu, gpu, nnapi", "--delegate=cpu"),
    Mistake("runs --ledger=none", "no record of runs is kept", "--ledger=FILE"),
    # data, recipe and device together
    Mistake(f"{DRY} -d rp2040", "calibrates int8 ranges and no data was given", "--recipe=float32"),
    Mistake(f"{DRY} -d raspberry-pi-4", "calibrates int8 ranges and no data was given", "--recipe=dynamic"),
    Mistake(f"{DRY} -d coral", "calibrates int8 ranges and no data was given", "--data=FILE.npz"),
    Mistake(f"{DRY} -d rp2040 -r float16", "does not run float16 models", "--recipe=float32"),
    Mistake(f"{DRY} -d rp2040 -r float16 --data=data.npz", "does not run float16 models", "--recipe=int8"),
    Mistake(f"{DRY} -d coral -r float16", "does not run float16 models", "--recipe=int8 --data=FILE.npz"),
    Mistake(f"{DRY} -d rp2040 -r qat-int8", "trains and no data was given", "--recipe=float32"),
    Mistake(f"{DRY} -d rp2040 -r forest --data=data.npz", "for decision trees", "--recipe=int8"),
    # what a dry run checks
    Mistake("compress gone.keras --dry-run -d rp2040 --data=data.npz", "no such file", "path of the model"),
    Mistake(f"{DRY} -d rp2040 --data=gone.npz", "gone.npz: no such file", "path of the data"),
    Mistake(f"{DRY} -d rp2040 --data=data.npz --metric=gone:f", "No module named 'gone'", "spelling"),
    Mistake(f"{DRY} -d rp2040 --data=data.npz --preprocess=gone:f", "No module named 'gone'", "spelling"),
    Mistake(f"{DRY} -d rp2040 --data=data.npz --loss=gone:f", "No module named 'gone'", "spelling"),
    Mistake(f"{DRY} -d rp2040 --data=data.npz --out=.", "something other than a result", "another --out"),
]


def write_files(folder: Path) -> None:
    """Write the files that the command lines name."""
    shutil.copy(EXAMPLES / "digits.keras", folder / "model.keras")
    shutil.copy(EXAMPLES / "digits.npz", folder / "data.npz")
    (folder / "model.tflite").write_bytes(dense(16))


def followed(line: str, hint: str) -> list[list[str]]:
    """Return the command lines that a hint asks for; none if it asks for something else than options.

    Args:
        line: The command line with the mistake.
        hint: The hint, with what the files are called in place of FILE.
    """
    commands = re.findall(r"'tflite-compress ([^']*)'", hint) or re.findall(r": tflite-compress (.*)", hint)
    if commands:
        return [shlex.split(command) for command in commands]
    hint = hint.replace("FILE.npz", "data.npz").replace("FILE", "runs.sqlite").rstrip(".")
    found = []
    for part in re.split(r"\bor\b|;", hint):
        options = re.findall(r"--[a-z][\w.-]*=[^\s,]+", part)
        if options:
            found.append(_with_options(shlex.split(line), [option.rstrip(".,") for option in options]))
    if not found and (example := re.fullmatch(r"For example (\w+)", hint)):
        found.append([*shlex.split(line)[:-1], example[1]])
    return found


def _with_options(words: list[str], options: list[str]) -> list[str]:
    """Replace options of the same name, or add them."""
    short = {"-r": "--recipe"}
    for option in options:
        name = option.partition("=")[0]
        kept, skip = [], False
        for word in words:
            if not skip and short.get(word, word).partition("=")[0] != name:
                kept.append(word)
            skip = word in short and short[word] == name
        words = [*kept, option]
    return words


def main() -> None:
    """Type every mistake and print what comes back."""
    from tflite_compress.cli.main import main as run

    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        os.chdir(folder)
        for mistake in MISTAKES:
            print(f"$ tflite-compress {mistake.line}", flush=True)
            code = run(shlex.split(mistake.line))
            sys.stderr.flush()
            print(f"(exit code {code})\n", flush=True)


if __name__ == "__main__":
    main()
