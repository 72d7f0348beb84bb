from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.narrow import of_type, present
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.data.samples import RawData, bind
from tflite_compress.data.sources import ReadOptions, read
from tflite_compress.models.network import Network, TensorSpec
from tflite_compress.support.errors import DataError, UsageError

IMAGE = TensorSpec("image", (None, 4, 5, 3), "float32")
LEFT, RIGHT = TensorSpec("left", (None, 2), "float32"), TensorSpec("right", (None, 3), "float32")
CLASSES = TensorSpec("class", (None, 3), "float32")
VECTOR = TensorSpec("x", (None, 4), "float32")


def network(
    inputs: tuple[TensorSpec, ...] = (VECTOR,), outputs: tuple[TensorSpec, ...] = (CLASSES,)
) -> Network:
    return Network("net", None, inputs, outputs)


def images(folder: Path, sizes: dict[str, tuple[int, int]]) -> Path:
    for number, (name, size) in enumerate(sizes.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (number * 10, 0, 255)).save(path)
    return folder


def test_npz_with_x_and_y(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((6, 4)), y=np.arange(6) % 3)
    raw = read(tmp_path / "d.npz", ReadOptions(VECTOR))["all"]
    samples = bind(raw, (VECTOR,), (CLASSES,))
    assert samples.inputs[0].dtype == np.float32 and len(samples) == 6
    assert samples.labels is not None and samples.labels[0].tolist() == [0, 1, 2, 0, 1, 2]


def test_npz_with_named_inputs_and_labels(tmp_path: Path) -> None:
    arrays = {
        "x_left": np.ones((2, 2)),
        "right": np.ones((2, 3)),
        "y_a": np.array([0, 1]),
        "y/b": np.array([[1.0], [2.0]]),
    }
    np.savez(tmp_path / "d.npz", allow_pickle=False, **arrays)
    raw = read(tmp_path / "d.npz", ReadOptions(LEFT))["all"]
    outputs = (TensorSpec("a", (None, 3), "float32"), TensorSpec("b", (None, 1), "float32"))
    samples = bind(raw, (LEFT, RIGHT), outputs)
    assert [x.shape for x in samples.inputs] == [(2, 2), (2, 3)]
    assert samples.labels is not None and samples.labels[1].tolist() == [[1.0], [2.0]]


def test_npz_that_is_split_already(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x_train=np.zeros((8, 4)), x_test=np.ones((3, 4)))
    splits = gather(DataSpec(data=str(tmp_path / "d.npz")), network(), 0)
    assert len(splits.train) == 8 and len(splits.evaluate) == 3
    assert splits.evaluate.inputs[0].min() == 1 and splits.calibrate.inputs[0].max() == 0


def test_a_folder_of_images_with_classes(tmp_path: Path) -> None:
    folder = images(tmp_path / "pics", {"cat/1.png": (5, 4), "cat/2.png": (5, 4), "dog/1.jpg": (5, 4)})
    raw = read(folder, ReadOptions(IMAGE))["all"]
    assert raw.class_names == ("cat", "dog") and np.asarray(raw.labels).tolist() == [0, 0, 1]
    pixels = of_type(np.ndarray, raw.inputs)
    assert pixels.shape == (3, 4, 5, 3) and pixels.max() == 255
    assert [note.code for note in raw.notes] == ["unscaled-pixels"]
    assert read(folder, ReadOptions(IMAGE, "unit"))["all"].notes == ()


def test_folders_of_classes_may_be_divided(tmp_path: Path) -> None:
    sizes = {f"{part}/{name}/1.png": (5, 4) for part in ("train", "val", "test") for name in ("cat", "dog")}
    found = read(images(tmp_path / "pics", sizes), ReadOptions(IMAGE))
    assert {part: raw.origin for part, raw in found.items()} == {
        "train": f"{tmp_path}/pics/train",
        "eval": f"{tmp_path}/pics/val",
    }
    assert all(raw.class_names == ("cat", "dog") for raw in found.values())
    images(tmp_path / "pics", {"other/1.png": (5, 4)})
    assert read(tmp_path / "pics", ReadOptions(IMAGE))["all"].class_names == ("other", "test", "train", "val")


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    raw = read(images(tmp_path / "pics", {"a.png": (5, 4)}), ReadOptions(IMAGE))["all"]
    assert raw.labels is None


def test_grey_images_for_a_grey_model(tmp_path: Path) -> None:
    folder = images(tmp_path / "pics", {"a.png": (5, 4)})
    raw = read(folder, ReadOptions(TensorSpec("i", (None, 4, 5, 1), "float32")))["all"]
    assert of_type(np.ndarray, raw.inputs).shape == (1, 4, 5, 1)


def test_images_of_different_sizes(tmp_path: Path) -> None:
    folder = images(tmp_path / "pics", {"a.png": (5, 4), "b.png": (6, 4)})
    with pytest.raises(DataError, match=r"b\.png: is 6x4 pixels, expected 5x4") as caught:
        read(folder, ReadOptions(IMAGE))
    assert "--resize" in present(caught.value.hint)
    resized = read(folder, ReadOptions(IMAGE, resize=True))["all"]
    assert of_type(np.ndarray, resized.inputs).shape == (2, 4, 5, 3)


def test_a_broken_image(tmp_path: Path) -> None:
    folder = images(tmp_path / "pics", {"a.png": (5, 4)})
    (folder / "b.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"b\.png: not a readable image"):
        read(folder, ReadOptions(IMAGE))


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        read(tmp_path, ReadOptions(IMAGE))


def test_module_functions(tmp_path: Path) -> None:
    (tmp_path / "my_data.py").write_text(
        "import numpy as np\n"
        "def arrays(): return np.ones((5, 4)), np.zeros(5)\n"
        "def named(): return {'x': np.ones((5, 4))}\n"
        "def broken(): raise RuntimeError('no disk')\n"
        "def dataset(batch=0):\n"
        "    import tensorflow as tf\n"
        "    ds = tf.data.Dataset.from_tensor_slices((np.ones((5, 4)), np.arange(5) % 3))\n"
        "    return ds.batch(batch) if batch else ds\n"
        "def batched(): return dataset(2)\n"
        "def endless(): return dataset().repeat()\n"
        "def text(): return 'hello'\n"
    )
    for name in ("arrays", "named", "dataset", "batched"):
        raw = read(f"my_data:{name}", ReadOptions(VECTOR))["all"]
        assert bind(raw, (VECTOR,), (CLASSES,)).inputs[0].shape == (5, 4)
    with pytest.raises(DataError, match="no disk"):
        read("my_data:broken", ReadOptions(VECTOR))
    with pytest.raises(DataError, match="is infinite"):
        read("my_data:endless", ReadOptions(VECTOR))
    few = read("my_data:dataset", ReadOptions(VECTOR, limit=3))["all"]
    assert of_type(np.ndarray, few.inputs).shape == (3, 4)
    assert [note.code for note in few.notes] == ["dataset-cut-off"]
    with pytest.raises(DataError, match="is a str, not data"):
        read("my_data:text", ReadOptions(VECTOR))


def test_preprocessing(tmp_path: Path) -> None:
    (tmp_path / "my_pre.py").write_text("def halve(x): return x / 2")
    data = np.full((2, 4), 255.0)
    for how, expected in (("none", 255), ("unit", 1), ("symmetric", 1), ("my_pre:halve", 127.5)):
        assert of_type(np.ndarray, read(data, ReadOptions(VECTOR, how))["all"].inputs).max() == expected
    with pytest.raises(UsageError, match="preprocess=odd"):
        read(data, ReadOptions(VECTOR, "odd"))


def test_a_function_gives_data_and_another_preprocesses_each_input() -> None:
    def arrays() -> tuple[dict[str, np.ndarray], np.ndarray]:
        return {"left": np.full((5, 2), 4.0), "right": np.full((5, 3), 2.0)}, np.zeros(5)

    raw = read(arrays, ReadOptions(LEFT, lambda x: x / 2))["all"]
    bound = bind(raw, (LEFT, RIGHT), (CLASSES,))
    assert [x.max() for x in bound.inputs] == [2, 1] and bound.labels is not None


def test_a_function_that_raises_is_named_by_its_error() -> None:
    def broken() -> None:
        raise RuntimeError("no disk")

    with pytest.raises(DataError, match="no disk"):
        read(broken, ReadOptions(VECTOR))


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"x": np.zeros((0, 4))}, "no samples"),
        ({"x": np.array([[1, 2, 3, np.nan]])}, "NaN or infinity, first in sample 0"),
        ({"x": np.array([[1, 2, np.inf, 3.0]])}, "NaN or infinity"),
        ({"x": np.zeros((3, 5))}, r"shape \(3, 5\), the model takes \(samples, 4\)"),
        ({"x": np.zeros((3, 4)), "y": np.array([0, 1])}, "differ in length"),
        ({"x": np.zeros((2, 4)), "y": np.array([0, 3])}, "run from 0 to 3, the model has classes 0 to 2"),
        ({"x": np.zeros((2, 4)), "y": np.array([-1, 1])}, "run from -1 to 1"),
        ({"x": np.zeros((2, 4)), "y": np.array([0.5, 1])}, "run from 0.5 to 1"),
        ({"x": np.zeros((2, 4)), "y": np.array([[np.nan, 1, 0]] * 2)}, "labels for 'class' contain NaN"),
        ({"x": np.zeros((2, 4)), "y": np.zeros((2, 7))}, r"labels for 'class' have shape \(2, 7\)"),
        ({"x": np.array(["a", "b"])}, "not numbers"),
        ({"y": np.zeros(3)}, "no input array"),
    ],
)
def test_data_that_does_not_fit(tmp_path: Path, arrays: dict[str, np.ndarray], match: str) -> None:
    np.savez(tmp_path / "d.npz", allow_pickle=False, **arrays)
    with pytest.raises(DataError, match=match) as caught:
        gather(DataSpec(data=str(tmp_path / "d.npz")), network(), 0)
    assert caught.value.hint


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "d.npz", ReadOptions(VECTOR))


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04")
    for source, match in (
        ("gone.npz", "no such file"),
        ("gone", "no such file"),
        ("text.txt", "no kind of file"),
        ("broken.npz", "cannot be read"),
    ):
        with pytest.raises(DataError, match=match):
            read(source, ReadOptions(VECTOR))


def test_missing_names_are_listed() -> None:
    raw = RawData({"left": np.zeros((1, 2)), "other": np.zeros((1, 3))}, None, "d")
    with pytest.raises(DataError, match="no input array for right; it has left, other"):
        bind(raw, (LEFT, RIGHT), (CLASSES,))


def test_data_and_train_cannot_be_combined() -> None:
    with pytest.raises(UsageError, match="cannot be combined with train"):
        gather(DataSpec(data=np.zeros((2, 4)), train=np.zeros((2, 4))), network(), 0)


def test_separate_sources() -> None:
    a, b, c = (np.full((9, 4), v, np.float32) for v in (1, 2, 3))
    splits = gather(DataSpec(train=a, calibrate=b, evaluate=c), network(), 0)
    assert [s.inputs[0][0, 0] for s in (splits.train, splits.calibrate, splits.evaluate)] == [1, 2, 3]


def test_unlabelled_samples_lose_the_classes_they_came_with() -> None:
    some, more = (np.full((9, 4), v, np.float32) for v in (1, 2))
    known, others = np.arange(9) % 2, np.full(9, 99)  # not a class of the model
    splits = gather(
        DataSpec(train=(some, known), evaluate=(some, known), unlabelled=(more, others)), network(), 0
    )
    assert splits.unlabelled is not None and splits.unlabelled.labels is None
    assert splits.train.labels is not None and splits.learned_samples == 18
    assert list(splits.learned_inputs[0][:, 0]) == [1.0] * 9 + [2.0] * 9


def test_unlabelled_samples_alone_are_the_training_data() -> None:
    spec = DataSpec(evaluate=np.zeros((9, 4), np.float32), unlabelled=np.ones((8, 4), np.float32))
    splits = gather(spec, network(), 0)
    assert not spec.only_evaluation and splits.unlabelled is None
    assert splits.train.inputs[0].all() and splits.calibrate.inputs[0].all()


def test_evaluation_data_alone_is_enough_to_evaluate() -> None:
    spec = DataSpec(evaluate=np.full((9, 4), 3, np.float32))
    splits = gather(spec, network(), 0)
    assert spec.given and spec.only_evaluation and not DataSpec(data="d", evaluate="e").only_evaluation
    assert splits.evaluate.inputs[0].shape == (9, 4) and splits.evaluate.inputs[0][0, 0] == 3
    assert splits.train.origin == splits.calibrate.origin == "random inputs"


def test_without_data_inputs_are_random() -> None:
    splits = gather(DataSpec(), network(), 0)
    assert splits.evaluate.labels is None and splits.evaluate.inputs[0].shape == (64, 4)
