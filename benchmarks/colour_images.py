"""A set of colour images in ten groups, made from a folder of Tiny ImageNet, for small_data.py.

Tiny ImageNet is public: 200 classes of 500 images of 64x64 pixels, as train/<class>/images/*.JPEG. Groups of
like classes make ten, at 32x32 pixels; the last 100 images of each class are for testing. The repository
https://github.com/seshuad/IMagenet has the folder as tiny-imagenet-200.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 32  # pixels
FOR_TEST = 100  # images of each class

GROUPS = {
    "ape": "n02480495 n02481823 n02486410",
    "bird": "n01855672 n02002724 n02056570 n02058221",
    "bridge": "n04311004 n04366367 n04532670",
    "car": "n02814533 n03100240 n03670208 n03796401 n03977966 n04146614 n04285008",
    "cat": "n02123045 n02123394 n02124075 n02125311 n02129165",
    "dog": "n02085620 n02094433 n02099601 n02099712 n02106662 n02113799",
    "fruit": "n07720875 n07747607 n07749582 n07753592 n07768694",
    "hoofed animal": "n02395406 n02403003 n02410509 n02415577 n02423022 n02437312",
    "insect": "n02165456 n02190166 n02206856 n02226429 n02236044 n02268443 n02279972",
    "landscape": "n09193705 n09246464 n09332890 n09428293",
}


def load(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read the images of a folder of Tiny ImageNet.

    Args:
        folder: The folder that holds ``train``.

    Returns:
        Training images (20,000, 32, 32, 3) and labels, test images (5,000, 32, 32, 3) and labels. Pixels are
        uint8, labels int64, the index in GROUPS.
    """
    parts: tuple[list[np.ndarray], ...] = ([], [])
    labels: tuple[list[int], ...] = ([], [])
    for label, classes in enumerate(GROUPS.values()):
        for name in classes.split():
            found = _read_class(folder / "train" / name / "images")
            for part, images in enumerate((found[:-FOR_TEST], found[-FOR_TEST:])):
                parts[part].append(images)
                labels[part].extend([label] * len(images))
    x_train, x_test = (np.concatenate(part) for part in parts)
    y_train, y_test = (np.array(part, np.int64) for part in labels)
    return x_train, y_train, x_test, y_test


def _read_class(folder: Path) -> np.ndarray:
    paths = sorted(folder.glob("*.JPEG"), key=lambda path: int(path.stem.split("_")[1]))
    return np.stack([_read(path) for path in paths])


def _read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX))
