"""The commands of the guide on labels are run on the layouts that it shows."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import EXAMPLES, Run
from tests.data.pictures import mask, picture, text
from tests.data.test_coco_json import coco
from tests.docs.test_guides import commands

CORNERS = "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
BOX = f"<object><name>car</name><bndbox>{CORNERS}</bndbox></object>"


def write_coco(street: Path) -> None:
    for name in ("a", "b"):
        picture(street / "images" / f"{name}.png")
    coco(street / "instances.json")


def write_yolo(street: Path) -> None:
    for number, part in enumerate(("train", "val"), 1):
        picture(street / "images" / part / f"000{number}.jpg")
        text(street / "labels" / part / f"000{number}.txt", "0 0.5 0.5 0.2 0.2")
    text(street / "data.yaml", "names: [car, person]\ntrain: images/train\nval: images/val\n")


def write_voc(street: Path) -> None:
    for name in ("0001", "0002"):
        picture(street / "JPEGImages" / f"{name}.jpg")
        text(street / "Annotations" / f"{name}.xml", f"<annotation>{BOX}</annotation>")
    text(street / "classes.txt", "person\ncar\n")


def write_masks(road: Path, count: int = 2) -> None:
    for number in range(count):
        picture(road / "images" / f"{number:04}.jpg", (16, 16))
        mask(road / "masks" / f"{number:04}.png", np.tile([0, 1, 2, 255], (16, 4)))


def write_table(faces: Path, count: int = 2) -> None:
    lines = []
    for number in range(count):
        picture(faces / "images" / f"{number:04}.jpg", (16, 16))
        lines.append(f"{number:04}.jpg,0.3,0.4,0.6,0.{4 + number % 3}\n")
    text(faces / "targets.csv", "image,a,b,c,d\n" + "".join(lines))


LAYOUTS: list[tuple[str, Callable[[Path], None]]] = [
    ("street", write_yolo),
    ("street", write_coco),
    ("street", write_yolo),
    ("street", write_voc),
    ("road", write_masks),
    ("faces", write_table),
]


@pytest.mark.parametrize("number", range(len(LAYOUTS)))
def test_each_command_accepts_its_layout(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("detector", "segmenter", "faces"):
        (tmp_path / f"{name}.keras").symlink_to(EXAMPLES / "digits.keras")
    folder, write = LAYOUTS[number]
    write(tmp_path / folder)
    lines = commands("labels")
    assert len(lines) == len(LAYOUTS)
    words = [word for word in shlex.split(lines[number])[1:] if not word.startswith("--out=")]
    code, out, err = run(*words, *(["--dry-run"] if "--dry-run" not in words else []))
    assert code == 0, (out, err)
