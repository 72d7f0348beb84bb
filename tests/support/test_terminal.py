from __future__ import annotations

import pytest

from tflite_compress.support.terminal import console, grid, print_wrapped, style

NUMBERS = ("1,234,567", "0.0000123", "12.3 to 45.6", "98.7 %", "1.23e+05", "111,222,333,444")


def printed(columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    table = grid("layer", "what it is", *(f"figure {n}" for n in range(6)), "", right=tuple(range(2, 8)))
    table.add_row("a layer [x] with a long name/of_many/parts_in_it", "text to be folded " * 4, *NUMBERS)
    table.add_row("b", style("yes", "green"), *NUMBERS, "")
    console().print(table)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_numbers_are_never_wrapped_and_lines_never_too_long(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = printed(columns, capsys, monkeypatch)
    assert max(map(len, lines)) <= columns
    for number in NUMBERS:
        assert sum(number in line for line in lines) == 2
    assert any("[x]" in line for line in lines) and any("yes" in line for line in lines)


def test_a_table_that_is_too_wide_continues_below(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = [
        sum(line.strip().startswith("layer") for line in printed(columns, capsys, monkeypatch))
        for columns in (60, 200)
    ]
    assert heads[0] > 1 and heads[1] == 1


def test_long_lines_go_on_indented(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    print_wrapped(console(), "note: " + "word " * 30 + "\n  - [item]")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[1].startswith("  word") and lines[-1] == "  - [item]"
