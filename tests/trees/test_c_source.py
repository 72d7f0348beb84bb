import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.needs import slow, tool
from tests.trees.conftest import FittedModel
from tflite_compress.trees.c_source import write_c_forest
from tflite_compress.trees.compiled import measure_arm_size, run_c_code
from tflite_compress.trees.forest import Precision
from tflite_compress.trees.load_forest import load_forest
from tflite_compress.trees.merge import merge_subtrees
from tflite_compress.trees.quantize import feature_ranges, quantize_forest

INTEGERS: tuple[Precision, ...] = ("int8", "int16")
ARM_PACKAGES = "gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib"


@pytest.fixture
def gcc() -> str:
    return tool("gcc", "gcc")


@pytest.mark.usefixtures("gcc")
@pytest.mark.parametrize("precision", ["float32", "int8", slow("int16")])
def test_compiled_code_predicts_what_the_forest_predicts(
    every_model: FittedModel, precision: Precision
) -> None:
    name, estimator, x = every_model
    forest = load_forest(estimator, trust=False)[0]
    if precision != "float32":
        forest = merge_subtrees(quantize_forest(forest, feature_ranges([x]), precision))
    found = run_c_code(write_c_forest(forest, "f", True), "f", x, forest.outputs)
    assert found is not None
    wanted = forest.predict(x)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5, err_msg=name)
    if forest.task == "classification":
        assert np.array_equal(found.argmax(axis=1), wanted.argmax(axis=1))


@pytest.mark.usefixtures("gcc")
@pytest.mark.parametrize("name", ["forest", "xgboost nan"])
def test_classes_and_ready_made_grids(name: str) -> None:
    from tests.trees.conftest import fitted

    estimator, x = fitted(name)
    forest = merge_subtrees(
        quantize_forest(load_forest(estimator, trust=False)[0], feature_ranges([x]), "int8")
    )
    code = write_c_forest(forest, "f", True)
    for file, content in code.files.items():
        Path(file).write_bytes(content)
    Path("main.c").write_text(
        f"""#include <stdio.h>
#include "f.h"
int main(void) {{
    float x[{forest.features}], raw[{forest.columns}];
    int8_t grid[{forest.features}];
    while (fread(x, sizeof x, 1, stdin) == 1) {{
        f_to_grid(x, grid);
        f_raw(grid, raw);
        printf("%d %.9g\\n", f_class(x), raw[0]);
    }}
}}
"""
    )
    subprocess.run(["gcc", "-O2", "-o", "run", "main.c", "f.c", "-lm"], check=True)
    done = subprocess.run(["./run"], input=x.tobytes(), capture_output=True, check=True)
    table = np.array([line.split() for line in done.stdout.decode().splitlines()], float)
    assert np.array_equal(table[:, 0], forest.predict(x).argmax(axis=1))
    np.testing.assert_allclose(table[:, 1], forest.predict_raw(x)[:, 0], rtol=1e-5, atol=1e-5)


def test_size_on_a_microcontroller_is_the_tables_and_little_code() -> None:
    tool("arm-none-eabi-gcc", ARM_PACKAGES)
    from tests.trees.conftest import fitted

    estimator, x = fitted("forest")
    plain = load_forest(estimator, trust=False)[0]
    small = merge_subtrees(quantize_forest(plain, feature_ranges([x]), "int8"))
    codes = [write_c_forest(forest, "f", False) for forest in (plain, small)]
    sizes = [measure_arm_size(code) for code in codes]
    for code, size in zip(codes, sizes, strict=True):
        assert size is not None and size["ram_bytes"] == 0
        assert code.table_bytes <= size["flash_bytes"] < code.table_bytes + 2048
    assert codes[1].table_bytes < 0.75 * codes[0].table_bytes


@pytest.mark.usefixtures("gcc")
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_columns_beyond_16_bits(precision: Precision) -> None:
    from sklearn.tree import DecisionTreeClassifier

    x = np.zeros((20, 70_000), np.float32)
    x[:, -1] = np.arange(20)
    forest = load_forest(DecisionTreeClassifier().fit(x, x[:, -1] > 9), trust=False)[0]
    if precision == "int8":
        forest = quantize_forest(forest, feature_ranges([x]), "int8")
    found = run_c_code(write_c_forest(forest, "f", False), "f", x, forest.outputs)
    assert found is not None
    np.testing.assert_allclose(found, forest.predict(x), rtol=1e-5)
    assert len(np.unique(found, axis=0)) == 2


def test_the_flash_of_reading_a_stream_is_as_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    tool("arm-none-eabi-gcc", ARM_PACKAGES)
    from tests.trees.conftest import fitted
    from tflite_compress.trees import c_source

    estimator, x = fitted("forest")
    small = quantize_forest(load_forest(estimator, trust=False)[0], feature_ranges([x]), "int8")
    stream = write_c_forest(small, "f", False)
    assumed = c_source.STREAM_CODE_BYTES
    monkeypatch.setattr(c_source, "STREAM_CODE_BYTES", 1 << 40)
    tables = write_c_forest(small, "f", False)
    assert b"Trees in preorder" in stream.files["f.c"] and b"Trees in preorder" not in tables.files["f.c"]
    taken = []
    for code in (stream, tables):
        size = measure_arm_size(code)
        assert size is not None
        taken.append(size["flash_bytes"] - code.table_bytes)
    assert taken[0] - taken[1] == pytest.approx(assumed, abs=48)


@pytest.mark.usefixtures("gcc")
@pytest.mark.parametrize(
    ("missing", "features"),
    [(False, 20), (True, 300), slow(True, 20), slow(False, 100), slow(True, 100), slow(False, 300)],
)
def test_packed_trees_predict_what_the_forest_predicts(features: int, missing: bool) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, features)).astype(np.float32)
    if features == 20:
        x = np.round(x).clip(-1, 1)  # few thresholds: splits name a pair by its number
    y = (x[:, :8].sum(axis=1) > 0) + (x[:, -8:].sum(axis=1) > 1).astype(int)
    if missing:
        x[rng.random(x.shape) < 0.1] = np.nan
    forests = (
        RandomForestClassifier(15, random_state=0),
        RandomForestClassifier(15, min_samples_leaf=40, random_state=0),
    )
    for model in (*forests, HistGradientBoostingClassifier(max_iter=9)):
        forest = load_forest(model.fit(x, y), trust=False)[0]
        for precision in INTEGERS:
            small = quantize_forest(forest, feature_ranges([x]), precision)
            code = write_c_forest(small, "f", missing)
            assert b"Trees in preorder" in code.files["f.c"]
            if model is forests[0]:
                assert (b"pair = bits" in code.files["f.c"]) == (features == 20)
                assert b"leaf_column" in code.files["f.c"]  # of pure leaves, one number is not zero
            found = run_c_code(code, "f", x, small.outputs)
            assert found is not None
            np.testing.assert_allclose(found, small.predict(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", ["forest", "xgboost nan"])
def test_every_sample_on_a_cortex_m4(name: str, precision: Precision) -> None:
    """The program reads no files: samples and what the forest says of them are compiled in."""
    from tests.trees.conftest import fitted
    from tflite_compress.trees.c_text import float_literal

    compiler = tool("arm-none-eabi-gcc", ARM_PACKAGES)
    qemu = tool("qemu-system-arm", "qemu-system-arm")
    estimator, x = fitted(name)
    forest = load_forest(estimator, trust=False)[0]
    if precision != "float32":
        forest = merge_subtrees(quantize_forest(forest, feature_ranges([x]), precision))
    x = x[:300]
    for file, content in write_c_forest(forest, "f", True).files.items():
        Path(file).write_bytes(content)
    rows = ["{" + ", ".join("NAN" if np.isnan(v) else float_literal(v) for v in row) + "}" for row in x]
    Path("main.c").write_text(
        '#include <math.h>\n#include <stdio.h>\n#include "f.h"\n'
        f"static const float samples[{len(x)}][{forest.features}] = {{\n" + ",\n".join(rows) + "};\n"
        f'int main(void) {{ for (int i = 0; i < {len(x)}; i++) printf("%d\\n", f_class(samples[i])); }}\n'
    )
    flags = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "-Os", "--specs=rdimon.specs"]
    script = Path(__file__).parent.parent / "bundling" / "cortex_m.ld"
    command = [compiler, *flags, f"-T{script}", "-o", "run.elf", "main.c", "f.c", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    command = [qemu, "-M", "mps2-an386", "-nographic", "-semihosting", "-kernel", "run.elf"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert [int(line) for line in done.stdout.split()] == forest.predict(x).argmax(axis=1).tolist()
