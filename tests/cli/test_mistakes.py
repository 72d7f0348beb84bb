"""Each mistake is refused before anything runs, and its hint leads to a command line that is accepted."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.mistakes import MISTAKES, Mistake, followed, write_files
from tflite_compress.cli.command_registry import all_commands

Run = Callable[..., tuple[int, str, str]]
CHEAP = {"compress", "devices", "recipes", "completion", "inspect", "runs"}


def stub_long_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run a model accept what they are given, once their words are right."""
    for name, command in all_commands().items():
        if name not in CHEAP:

            def accept(*placed: object, **named: object) -> int:
                return 0

            command.parameters  # noqa: B018  read the signature before the function is replaced
            accept.__doc__ = command.function.__doc__
            monkeypatch.setitem(command.__dict__, "function", accept)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.line)
def test_a_mistake_and_its_hint(
    run: Run, mistake: Mistake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_files(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run(*shlex.split(mistake.line))
    assert (code, out) == (2, ""), err
    message, hint = err.splitlines()
    assert message.startswith("error: ") and mistake.says in message
    assert hint.startswith("hint: ") and mistake.hint in hint
    assert sorted(tmp_path.rglob("*")) == before
    stub_long_commands(monkeypatch)
    for words in followed(mistake.line, hint):
        dry = ["--dry-run"] if words[0] == "compress" and not {"--help", "--dry-run"} & set(words) else []
        code, _, err = run(*words, *dry)
        assert code == 0, (words, err)
