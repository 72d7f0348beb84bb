"""CSV and Parquet files: rows and windows in the shape of the model's input, and each malformed file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.data.files.table import Table
from tflite_compress.data.samples import Samples, bind
from tflite_compress.data.sources import ReadOptions, read
from tflite_compress.data.split import split
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import CompressError, DataError

pytest.importorskip("pandas")
Run = Callable[..., tuple[int, str, str]]
PAIR = TensorSpec("in", (None, 2), "float32")
WINDOW = TensorSpec("in", (None, 4, 2), "float32")
CLASSES = TensorSpec("out", (None, 3), "float32")
NUMBER = TensorSpec("out", (None, 1), "float32")


def samples(table: Table, spec: TensorSpec = PAIR, out: TensorSpec = CLASSES) -> Samples:
    return bind(read(table, ReadOptions(spec, outputs=(out,)))["all"], (spec,), (out,))


def series(path: Path, recordings: int = 2) -> Path:
    """A recording is 8 rows of each of 3 activities; column a counts the rows of the file."""
    lines = ["time,a,b,activity,rec"]
    for recording in range(recordings):
        for activity in ("walk", "idle", "run"):
            lines += [f"12:00,{len(lines) - 1 + i},0.5,{activity},{recording}" for i in range(8)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rows_with_class_names(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b,y\n1,2,NA\n3,4,b\n5,6,a\n\n")
    found = samples(Table(str(tmp_path / "x.csv"), label="y"))
    assert found.inputs[0].tolist() == [[1, 2], [3, 4], [5, 6]] and found.inputs[0].dtype == np.float32
    assert present(found.labels)[0].tolist() == [0, 2, 1] and found.class_names == ("NA", "a", "b")
    assert "0 = NA, 1 = a, 2 = b" in found.notes[0].text and found.spans is None
    ordered = samples(Table(str(tmp_path / "x.csv"), label="y", classes=("b", "a", "NA")))
    assert present(ordered.labels)[0].tolist() == [2, 0, 1] and ordered.notes == ()


def test_class_numbers_targets_and_no_labels(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a;b;y;z\n1,5;2;0;7\n3;4;1;8\n")
    path = str(tmp_path / "x.csv")
    numbered = samples(Table(path, label="y", columns=("b", "a")))
    assert numbered.inputs[0].tolist() == [[2, 1.5], [4, 3]] and present(numbered.labels)[0].tolist() == [
        0,
        1,
    ]
    targets = samples(Table(path, label="z", columns=("a", "b")), out=NUMBER)
    assert present(targets.labels)[0].tolist() == [7, 8]
    several = samples(Table(path, label=("y", "z"), columns=("a", "b")), out=PAIR)
    assert present(several.labels)[0].tolist() == [[0, 7], [1, 8]]
    assert samples(Table(path, columns=("a", "b"))).labels is None


def test_windows_never_cross_recordings(tmp_path: Path) -> None:
    path = str(series(tmp_path / "x.csv"))
    table = Table(path, label="activity", columns=("a", "b"), window=4, stride=3, group="rec")
    found = samples(table, WINDOW)
    assert found.inputs[0].shape == (14, 4, 2)
    assert found.inputs[0][:, 0, 0].tolist() == [*range(0, 21, 3), *range(24, 45, 3)]
    assert present(found.labels)[0][:7].tolist() == [2, 2, 0, 0, 0, 1, 1]  # rows 6 to 9: two of each
    notes = [note.text for note in found.notes]
    assert notes[0] == "14 windows of 4 rows from 2 recordings" and "4 of 14 windows" in notes[2]
    whole = samples(
        Table(path, label="activity", columns=("a", "b")), WINDOW
    )  # rows per window from the model
    assert present(whole.spans)[:, 1].tolist() == list(range(0, 48, 4))


@pytest.mark.parametrize(
    ("shape", "columns", "window"),
    [
        ((4, 2, 1), "a,b", None),
        ((8,), "a,b", 4),
        ((4,), "a", None),
        ((1, 4, 1), "a", 4),
        ((None, 2), "a,b", 4),
    ],
)
def test_windows_in_the_shape_of_the_input(
    tmp_path: Path, shape: tuple[int | None, ...], columns: str, window: int | None
) -> None:
    spec = TensorSpec("in", (None, *shape), "float32")
    table = Table(str(series(tmp_path / "x.csv")), columns=tuple(columns.split(",")), window=window)
    found = samples(table, spec).inputs[0]
    assert found.shape == (12, *(4 if size is None else size for size in shape))
    assert found[1].ravel()[:: found[1].size // 4].tolist() == [4, 5, 6, 7]


def test_the_target_of_a_window_is_that_of_its_last_row(tmp_path: Path) -> None:
    found = samples(
        Table(str(series(tmp_path / "x.csv")), label="a", columns=("b",), window=4), NUMBER_OF_4, NUMBER
    )
    assert present(found.labels)[0].tolist() == list(range(3, 48, 4))


NUMBER_OF_4 = TensorSpec("in", (None, 4), "float32")


def test_a_split_shares_no_rows(tmp_path: Path) -> None:
    table = Table(
        str(series(tmp_path / "x.csv", 5)),
        label="activity",
        columns=("a", "b"),
        window=4,
        stride=1,
        group="rec",
    )
    found = samples(table, WINDOW)
    for seed in range(3):
        parts = split(found, seed)
        train, evaluate = (
            {int(row) for row in part.inputs[0][..., 0].ravel()} for part in (parts.train, parts.evaluate)
        )
        assert not train & evaluate and len(parts.evaluate) >= 20
        assert set(present(parts.evaluate.labels)[0].tolist()) == {0, 1, 2}
        text = parts.evaluate.notes[-1].text
        left_out = len(found) - len(parts.train) - len(parts.evaluate)
        assert "share no rows" in text and f"; {left_out} windows across the border are left out" in text
        assert len(split(parts.evaluate, 1, 0.5).train)  # decision trees split once more


def test_a_split_needs_rows_for_both_parts(tmp_path: Path) -> None:
    lines = "\n".join(f"{row},0" for row in range(5))
    (tmp_path / "x.csv").write_text(f"a,b\n{lines}\n")
    with pytest.raises(DataError, match="no window for training is left"):
        split(samples(Table(str(tmp_path / "x.csv"), window=4, stride=1), WINDOW), 0)


def test_rows_of_one_group_stay_together(tmp_path: Path) -> None:
    table = Table(str(series(tmp_path / "x.csv", 8)), label="activity", columns=("a", "b"), group="rec")
    parts = split(samples(table), 0)
    assert len(set((parts.evaluate.inputs[0][:, 0] // 24).tolist())) <= 3  # of 8, about 48 of 192 rows


def test_parquet_and_gzip(tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "y": [True, False, True]})
    frame.to_parquet(tmp_path / "x.parquet")
    (tmp_path / "x.csv.gz").write_bytes(
        gzip.compress(frame.to_csv(index=False).replace("True", "1").encode())
    )
    found = samples(Table(str(tmp_path / "x.parquet"), label="y"))
    assert found.inputs[0].tolist() == [[1, 0.5], [2, 1.5], [3, 2.5]]
    assert present(found.labels)[0].tolist() == [1, 0, 1]
    assert (
        samples(Table(str(tmp_path / "x.csv.gz"), columns=("a", "b"))).inputs[0].tolist()
        == found.inputs[0].tolist()
    )
    (tmp_path / "bad.parquet").write_text("no table at all")
    with pytest.raises(DataError, match=r"bad\.parquet: cannot be read \(Parquet magic bytes"):
        samples(Table(str(tmp_path / "bad.parquet")))
    frame["b"] = [1, None, 2]
    frame.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet: row 2, column 'b' is empty"):
        samples(Table(str(tmp_path / "x.parquet"), label="y"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b,y\n", "has no rows"),
        ("1,2,3\n4,5,6\n", "line 1 has numbers, not names of columns"),
        ("a,b,t\n1,2,0\n", "no column 'y'"),
        ("a,b,Y\n1,2,0\n", "no column 'y'. Did you mean 'Y'?"),
        ("a,b,y\n1,2,0\n3,,1\n", "line 3, column 'b' is empty"),
        ("a,b,y\n1,2,0\n\n3,nan,1\n", "line 3, column 'a' is empty"),
        ("a,b,y\n1,2,0\n3,inf,1\n", "line 3, column 'b' is infinite"),
        ("a,b,y\n1,2,0\n3,1.2.3,1\n", "line 3, column 'b': '1.2.3' is not a number"),
        ("a,b,y\n1,p,0\n3,q,1\n", "column 'b' has text, such as 'p'"),
        ("a,b,y\n1,2,0\n3,4,\n", "line 3, column 'y' is empty"),
        ("a,b,y\n1,2,0\n3,4,3\n", "line 3, column 'y': 3, the model has classes 0 to 2"),
        ("a,b,y\n1,2,0\n3,4,0.5\n", "line 3, column 'y': 0.5, the model has classes"),
        ("a,b,y\n1,2,0\n3,4,1\n5,6,x\n", "line 4, column 'y': 'x' is not a number"),
        ("a,b,y\n1,2,p\n3,4,q\n", "column 'y': 2 class names (p, q), the model has 3 classes"),
        ("a,b,y\n1,2,0\n3,4,1,5\n", "cannot be read"),
        ("a,b,y\n1,2,0,5\n", "lines have more cells than line 1 has names"),
        ("a,b,c,y\n1,2,3,0\n", "rows of 3 columns (a, b, c) do not fit input 'in', which takes 2"),
        ("y\n1\n", "no column is left for the inputs"),
    ],
)
def test_a_malformed_file_is_named_with_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        samples(Table(str(path), label="y"))
    assert caught.value.message.startswith(f"{path}: {message}"), caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"window": 5}, "windows of 5 rows and 2 columns (a, b) do not fit", "Give --window=4."),
        (
            {"columns": ("a",)},
            "rows of 1 column (a) do not fit input 'in', which takes 4 x 2",
            "Choose 2 columns",
        ),
        ({"window": 4, "stride": 0}, "stride=0: expected a number greater than 0", "Correct"),
        ({"label": "a"}, "'a' is an input and the label", "Remove it from --columns."),
        ({"label": "activity", "classes": ("run", "walk")}, "2 names, the model has 3 classes", "Give 3"),
        (
            {"label": "activity", "classes": ("run", "walk", "idel")},
            "no class 'idle'. Did you mean 'idel'?",
            "The cl",
        ),
    ],
)
def test_settings_that_do_not_fit(
    tmp_path: Path, settings: dict[str, object], message: str, hint: str
) -> None:
    path = series(tmp_path / "x.csv")
    with pytest.raises(CompressError) as caught:
        samples(Table(str(path), **{"columns": ("a", "b"), **settings}), WINDOW)  # type: ignore[arg-type]
    assert message in caught.value.message and str(caught.value.hint).startswith(hint)


def test_recordings_shorter_than_a_window(tmp_path: Path) -> None:
    lines = [f"{row},0,{row // 3 if row < 6 else 9}" for row in range(12)]
    (tmp_path / "x.csv").write_text("a,b,rec\n" + "\n".join(lines))
    found = samples(Table(str(tmp_path / "x.csv"), group="rec"), WINDOW)
    assert (
        found.notes[0].text
        == "1 windows of 4 rows from 3 recordings; 2 are shorter than a window and left out"
    )
    long = TensorSpec("in", (None, 7, 2), "float32")
    with pytest.raises(DataError, match="the longest recording by 'rec' has 6 rows, a window takes 7"):
        samples(Table(str(tmp_path / "x.csv"), group="rec"), long)


def test_a_function_may_compute_the_input_from_windows(tmp_path: Path) -> None:
    path = str(series(tmp_path / "x.csv"))
    means = ReadOptions(PAIR, lambda x: x.mean(axis=1), outputs=(CLASSES,))
    raw = read(Table(path, columns=("a", "b"), window=4), means)["all"]
    assert bind(raw, (PAIR,), (CLASSES,)).inputs[0][:2].tolist() == [[1.5, 0.5], [5.5, 0.5]]
    fewer = ReadOptions(PAIR, lambda x: x.mean(axis=1)[:3], outputs=(CLASSES,))
    with pytest.raises(DataError, match="preprocessing made 3 samples of 12 windows"):
        bind(read(Table(path, columns=("a", "b"), window=4), fewer)["all"], (PAIR,), (CLASSES,))


def test_labels_that_decision_trees_name(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b,y\n1,2,yes\n3,,no\n")
    nan = TensorSpec("in", (None, 2), "float32", nan=True)
    trees = TensorSpec("out", (None, 2), "float32", labels=("no", "yes"))
    found = samples(Table(str(tmp_path / "x.csv"), label="y"), nan, trees)
    assert present(found.labels)[0].tolist() == [1, 0] and np.isnan(found.inputs[0][1, 1])
    other = TensorSpec("out", (None, 2), "float32", labels=("no", "si"))
    with pytest.raises(DataError, match="line 2, column 'y': no class 'yes'"):
        samples(Table(str(tmp_path / "x.csv"), label="y"), nan, other)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--data=x.csv --label=activty", "x.csv: no column 'activty'. Did you mean 'activity'?"),
        (
            "--data=x.csv --label=activity",
            "x.csv: rows of 4 columns (time, a, b, rec) do not fit input 'image'",
        ),
        ("--data=gone.csv", "gone.csv: no such file"),
        ("--data=x.csv --window=0", "--window=0: expected a whole number from 1"),
        ("--data=x.npz --window=4", "--window does not apply to x.npz"),
        ("--label=y", "--label was given without data"),
    ],
)
def test_a_dry_run_checks_tables(run: Run, digits: Path, tmp_path: Path, words: str, message: str) -> None:
    series(tmp_path / "x.csv")
    code, out, err = run("compress", digits, "--device=rp2040", *words.split(), "--dry-run")
    assert (code, out) == (2, "") and f"error: {message}" in err, err
