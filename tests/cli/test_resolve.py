"""Names, values and types of the command line are checked before a command runs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.conftest import Run
from tflite_compress.cli.command_registry import Command, all_commands
from tflite_compress.cli.fire_adapter import resolve
from tflite_compress.cli.help_text import command_help, overview
from tflite_compress.cli.option_types import COUNT, Count, kind_of
from tflite_compress.support.errors import UsageError


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[object, ...], dict[str, object]]]:
    """What commands are called with, instead of running them."""
    found: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def call(*placed: object, **named: object) -> int:
        found.append((placed, named))
        return 0

    for command in all_commands().values():
        command.parameters  # noqa: B018  read the signature before the function is replaced
        monkeypatch.setitem(command.__dict__, "function", call)
    return found


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            "inspect m.tflite --grpah=a.svg",
            "unknown option '--grpah'. Did you mean '--graph'?",
            "inspect --help",
        ),
        ("inspect m.tflite --zzz", "unknown option '--zzz'", "inspect --help"),
        ("inspect m.tflite -g", "unknown option '-g'", "inspect --help"),
        ("inspect m.tflite -", "unknown option '-'", "inspect --help"),
        ("inspect m.tflite -- --trace", "unknown option '--'", "inspect --help"),
        ("inspect m.tflite --model=b.tflite", "MODEL is given without a name", "inspect model.tflite"),
        ("bundle m.tflite --device=a --ot=x", "Did you mean '--out'?", "bundle --help"),
        ("check m.tflite --device=a --max-flahs=10KB", "Did you mean '--max-flash'?", "check --help"),
        ("compress m.keras -d a --threads=2", "It is an option of check, verify, benchmark and", "--help"),
        ("search m.keras -d a --sparsity=1", "It is an option of compress and diagnose", "search --help"),
        ("search m.keras -d a --sparsty=2", "'--sparsity' of compress and diagnose?", "search --help"),
        ("inspect m.tflite -d a", "unknown option '-d'", "inspect --help"),
        ("inspect m.tflite -q -v", "--quiet and --verbose exclude each other", "Remove one"),
        ("compress m.keras -d a --device=b", "--device is given twice", "Remove one"),
        ("inspect m.tflite other", "unexpected argument: other", "inspect --help"),
        ("inspect m.tflite --diff=a --diff=b", "--diff is given twice", "Remove one"),
        ("inspect m.tflite --json --no-json", "--no-json is given twice", "Remove one"),
        ("inspect m.tflite --diff", "--diff: expected a file", "--diff=result.json"),
        ("inspect m.tflite --graph", "--graph: expected a file that ends in .svg", "--graph=graph.svg"),
        ("inspect m.tflite --graph=a.gif", "--graph=a.gif: expected a file that ends", "--graph=graph.svg"),
        ("check m.tflite -d a --max-flash=20", "--max-flash=20: the unit is missing", "--max-flash=20KB or"),
        ("verify m.tflite --time-budget=5", "--time-budget=5: the unit is missing", "--time-budget=5m or"),
        ("search m.keras -d a --time-budget=5", "the unit is missing", "--time-budget=5m or"),
        ("search m.keras -d a --budget=5", "Did you mean '--time-budget'?", "search --help"),
        ("compress m.keras -d a --max-drop=1", "1 % or 100 %?", "--max-drop=1% or --max-drop=100%"),
        ("compress m.keras -d a --max-drop=1x", "--max-drop=1x: expected a number", "--max-drop=0.5pt"),
        ("inspect m.tflite --diff --json", "--diff: expected a file", "--diff=result.json"),
        ("inspect m.tflite --diff=", "--diff: expected a file", "--diff=result.json"),
        ("inspect m.tflite --no-diff", "unknown option '--no-diff'", "inspect --help"),
        ("inspect", "MODEL is missing", "tflite-compress inspect model.tflite"),
        ("inspect m.tflite --json=perhaps", "--json=perhaps: expected true or false", "--json=true"),
        ("check m.tflite", "--device is missing", "check model.tflite --device=rp2040"),
        ("check m.tflite --device=,", "--device=,: expected one or several devices", "--device=rp2040"),
        ("check m.tflite --device=a --max-ram=much", "--max-ram=much: expected a size", "--max-ram=256KB"),
        ("check m.tflite --device=a --port=0", "--port=0: expected a whole number from 1", "--port=4"),
        ("check m.tflite --device=a --delegate=tpu", "expected one of cpu, gpu, nnapi", "--delegate=cpu"),
        ("check m.tflite --device=a --max-latency-ms=-1", "expected a number from 0", "0.9"),
        ("check m.tflite --device=a --max-latency-ms=nan", "expected a number from 0", "0.9"),
        ("check m.tflite --device=a --preprocess=unti", "or module:function", "--preprocess=none"),
        ("bundle m.tflite --device=a,b", "--device=a,b: expected one device", "--device=rp2040"),
        ("benchmark m.tflite --threads=1,two", "expected a whole number from 1, or several", "--threads=1,2"),
        ("benchmark m.tflite --kernels=xnnpak", "any of xnnpack, no-delegate", "--kernels=xnnpack"),
        ("profile m.tflite --seconds=5d", "--seconds=5d: expected a time", "--seconds=30s"),
        ("runs 1 two", "two: expected a whole number from 1", "For example 4."),
        ("compress m.keras --device=a --sparsty=1", "Did you mean '--sparsity'?", "compress --help"),
        ("compress m.keras --devcie=a", "unknown option '--devcie'. Did you mean '--device'?", "--help"),
        ("compress m.keras --device=a --sparsity", "--sparsity: the value is missing", "--sparsity=VALUE"),
        ("compress m.keras --device=a --max-drop=much", "expected a number from 0", "--max-drop=0.5pt"),
        ("search m.keras --device=a --sparsity=0.5", "unknown option '--sparsity'. It is", "search --help"),
        ("search m.keras --device=a --minimize=weight", "expected any of size", "size,latency"),
    ],
)
def test_a_mistake_is_refused_before_the_command_runs(
    run: Run, calls: list[object], words: str, message: str, hint: str
) -> None:
    code, out, err = run(*words.split())
    assert (code, out, calls) == (2, "", []), err
    first, second = err.splitlines()
    assert first.startswith("error: ") and message in first, err
    assert second.startswith("hint: ") and hint in second, err


def test_mistakes_are_refused_without_heavy_imports() -> None:
    code = (
        "import sys\nfrom tflite_compress.cli.main import main\n"
        "assert main(['inspect', 'm.tflite', '--grpah=a']) == 2\n"
        "assert main(['check', 'm.tflite', '--device=a', '--max-ram=x']) == 2\n"
        "heavy = {'numpy', 'msgspec', 'rich', 'tensorflow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def named(calls: list[tuple[tuple[object, ...], dict[str, object]]]) -> dict[str, object]:
    """Every option of the last call by name."""
    return {
        k: v for group in calls[-1][1].values() if hasattr(group, "__dict__") for k, v in vars(group).items()
    }


def test_values_have_the_types_of_their_fields(
    run: Run, calls: list[tuple[tuple[object, ...], dict[str, object]]]
) -> None:
    code, _, err = run(
        "check", "m.tflite", "--device=a,b,a", "--max-flash", "1.5KB", "--max-latency-ms=3", "--ssh=1",
        "--port=22", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert calls[-1][0] == ("m.tflite",)
    options = named(calls)
    assert options["device"] == ("a", "b") and options["max_flash"] == 1536 and options["ssh"] == "1"
    assert options["max_latency_ms"] == 3.0 and options["port"] == 22 and options["json"] is True
    assert options["max_ram"] is None and options["delegate"] == "cpu"


def test_flags_take_no_word_and_can_be_denied(
    run: Run, calls: list[tuple[tuple[object, ...], dict[str, object]]]
) -> None:
    assert run("inspect", "--json", "7")[0] == 0
    assert calls[-1][0] == ("7",) and named(calls)["json"] is True
    for denied in ("--no-bundle", "--bundle=false"):
        assert run("compress", "m.keras", "--device=a", denied)[0] == 0
        assert named(calls)["bundle"] is False and named(calls)["details"] is True


def test_true_or_false_settings_take_no_word_and_can_be_denied(
    run: Run, calls: list[tuple[tuple[object, ...], dict[str, object]]]
) -> None:
    assert run("compress", "--keep-graph", "m.keras", "--device=a", "--no-keep-ends")[0] == 0
    assert calls[-1][0] == ("m.keras",)
    assert calls[-1][1]["keep_graph"] == "true" and calls[-1][1]["keep_ends"] == "false"


def test_short_forms(run: Run, calls: list[tuple[tuple[object, ...], dict[str, object]]]) -> None:
    assert run("compress", "m.keras", "-d", "a", "-r=int8", "-o", "x", "-q")[0] == 0
    options = named(calls)
    assert options["device"] == ("a",) and options["recipe"] == "int8" and options["out"] == "x"
    assert run("inspect", "-v", "m.tflite")[0] == 0 and calls[-1][0] == ("m.tflite",)
    (printed,) = {run(*words) for words in (("-V",), ("--version",), ("check", "-V"))}
    assert printed[0] == 0 and printed[1].strip()
    assert run("check", "-h") == run("check", "--help") and "-d, --device=NAME,..." in run("check", "-h")[1]


def test_several_arguments(run: Run, calls: list[tuple[tuple[object, ...], dict[str, object]]]) -> None:
    assert run("benchmark", "a", "--threads=1,2", "b", "--seconds=2m", "c")[0] == 0
    assert calls[-1][0] == ("a", "b", "c")
    assert named(calls)["threads"] == (1, 2) and named(calls)["seconds"] == 120.0
    assert run("runs", "3", "4")[0] == 0
    expected: tuple[object, ...] = (3, 4)
    assert calls[-1][0] == expected


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-drop=1%", 0.01), ("--max-drop=0.5pt", 0.005), ("--max-drop=.01", 0.01),
        ("--max-drop=2 points", 0.02),
        ("--max-flash=64k", 65536), ("--max-flash=512B", 512), ("--time-budget=1.5m", 90.0),
        ("--sparsity=60%", 0.6),
    ],
)  # fmt: skip
def test_quantities(
    run: Run, calls: list[tuple[tuple[object, ...], dict[str, object]]], option: str, value: float
) -> None:
    assert run("compress", "m.keras", "-d", "a", option)[0] == 0
    name = option[2:].partition("=")[0].replace("-", "_")
    assert {**named(calls), **calls[-1][1]}[name] == pytest.approx(value)


def test_settings_of_recipes_are_options(
    run: Run, calls: list[tuple[tuple[object, ...], dict[str, object]]]
) -> None:
    code, _, err = run(
        "compress", "my model.keras", "--device=a", "--sparsity=0.6", "--prune.epochs=8", "--encode=auto",
        "--exclude=block/a,block/b", "--keep-ends=false", "-q", "--no-bundle",
    )  # fmt: skip
    assert code == 0, err
    call = calls[-1][1]
    assert call["sparsity"] == 0.6 and call["prune.epochs"] == 8 and call["encode"] == "auto"
    assert call["exclude"] == ["block/a", "block/b"] and str(call["keep_ends"]).lower() == "false"
    assert call["asked"] == (
        "tflite-compress compress 'my model.keras' --device=a --sparsity=0.6 --prune.epochs=8 --encode=auto "
        "--exclude=block/a,block/b --no-keep-ends --quiet --no-bundle"
    )


@pytest.mark.parametrize("command", all_commands().values(), ids=lambda c: c.name)
def test_help_explains_every_option(command: Command) -> None:
    text = command_help(command)
    for option in command.options.values():
        assert option.flag in text or f"--no-{option.flag[2:]}" in text
        assert option.help.endswith(".") and " " in option.help
    assert set(command.arguments) == {
        *command.positional,
        *([command.variadic[0]] if command.variadic else []),
    }
    assert all(len(line) <= 110 for line in text.splitlines())


def test_every_command_but_those_without_a_result_prints_json() -> None:
    without = {name for name, command in all_commands().items() if "json" not in command.options}
    assert without == {"setup-emulator", "setup-gpu", "completion"}


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_help_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    texts = [overview(all_commands()), *map(command_help, all_commands().values())]
    lines = [line for text in texts for line in text.splitlines()]
    assert max(len(line) for line in lines if "  tflite-compress" not in line) <= min(columns, 100)
    assert "A .tflite file. Required." in command_help(all_commands()["inspect"])


@pytest.mark.parametrize("command", all_commands().values(), ids=lambda c: c.name)
def test_examples_and_defaults_are_valid(command: Command) -> None:
    resolve(command, command.example.split()[2:])
    for option in command.options.values():
        assert option.kind.read(option.kind.example) is not None
        if isinstance(option.default, str):
            assert option.kind.read(option.default) == option.default
        if isinstance(option.default, tuple):
            assert option.kind.read(",".join(map(str, option.default))) == option.default


def test_choices_are_those_of_the_packages_that_use_them() -> None:
    from tflite_compress.scoring.task_registry import all_tasks
    from tflite_compress.searching.job import OBJECTIVES
    from tflite_compress.searching.search import ENGINES
    from tflite_compress.searching.study import SAMPLERS
    from tflite_compress.timing.benchmark import KERNELS

    def choices(command: str, option: str) -> set[str]:
        expected = all_commands()[command].options[option].kind.expected
        return set(re.sub(r"^(one|any) of |, or module:function", "", expected).split(", "))

    assert choices("compress", "task") == set(all_tasks())
    assert choices("search", "minimize") == set(OBJECTIVES)
    assert choices("search", "engine") == set(ENGINES)
    assert choices("search", "sampler") == set(SAMPLERS)
    assert choices("benchmark", "kernels") == choices("profile", "kernels") == set(KERNELS)


def test_a_type_that_cannot_be_written_is_a_mistake_of_the_command() -> None:
    assert kind_of(Count) is COUNT
    with pytest.raises(TypeError, match="no option can have the type"):
        kind_of(dict)


def test_an_absent_option_keeps_the_default_of_its_field() -> None:
    command = all_commands()["verify"]
    with pytest.raises(UsageError, match="MODEL is missing"):
        resolve(command, [])
    assert command.options["samples"].default == 8
