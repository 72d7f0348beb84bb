"""The microcontroller bundle compiles, and its helpers run on a Cortex-M."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.custom import micro_custom_operators
from tests.needs import tool
from tflite_compress.bundling.kinds.microcontroller import resolver_method
from tflite_compress.runtimes.operator_support import micro_has
from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.flatbuffer import builtin_names, operator_names

HERE = Path(__file__).parent
WARNINGS = ["-std=c++17", "-Wall", "-Wextra", "-Werror"]


@pytest.fixture(scope="module")
def bundle(compressed: Path) -> Path:
    return compressed / "arduino-nano-33-ble" / "bundle"


def sources(bundle: Path) -> list[Path]:
    return [bundle / "main.cc", bundle / "helpers_check.cc", *sorted(bundle.glob("src/*.cc"))]


def compile_(command: list[str], bundle: Path, *files: Path | str) -> None:
    options = [*WARNINGS, f"-I{bundle}", f"-I{bundle / 'src'}", f"-I{HERE / 'stubs'}"]
    done = subprocess.run([*command, *options, *map(str, files)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_source_file_compiles(bundle: Path) -> None:
    compiler = tool("g++", "g++")
    for source in sources(bundle):
        compile_([compiler, "-fsyntax-only"], bundle, source)


def test_a_wrong_operator_would_not_compile(bundle: Path, tmp_path: Path) -> None:
    header = (bundle / "src" / "digits_ops.h").read_text().replace("AddConv2D", "AddNoSuchOperator")
    (tmp_path / "digits_ops.h").write_text(header)
    (tmp_path / "use.cc").write_text('#include "digits_ops.h"\n')
    with pytest.raises(AssertionError, match="AddNoSuchOperator"):
        compile_([tool("g++", "g++"), "-fsyntax-only", f"-I{tmp_path}"], bundle, tmp_path / "use.cc")


def test_the_sketch_is_cpp(bundle: Path, tmp_path: Path) -> None:
    sketch = next(bundle.glob("examples/*/*.ino")).read_text()
    serial = (
        "struct Port { void begin(long); void println(const char*); explicit operator bool() const; };\n"
        "extern Port Serial;\n"
    )
    (tmp_path / "sketch.cc").write_text(serial + sketch)
    compile_([tool("g++", "g++"), "-fsyntax-only"], bundle, tmp_path / "sketch.cc")


def test_the_resolver_holds_exactly_the_operators(bundle: Path, int8_file: Path) -> None:
    header = (bundle / "src" / "digits_ops.h").read_text()
    kinds = set(operator_names(int8_file.read_bytes()))
    added = re.findall(r"resolver\.(\w+)\(\)", header)
    assert sorted(added) == sorted(map(resolver_method, kinds))
    assert f"MicroMutableOpResolver<{len(kinds)}>" in header


def test_the_c_array_holds_the_bytes_of_the_file(bundle: Path, int8_file: Path) -> None:
    text = (bundle / "src" / "digits_data.cc").read_text()
    assert bytes(int(b, 16) for b in re.findall(r"0x([0-9a-f]{2}),", text)) == int8_file.read_bytes()
    assert "alignas(16)" in text and "const unsigned char" in text


@pytest.mark.parametrize(
    ("core", "board"),
    [("cortex-m4", "mps2-an386"), ("cortex-m55", "mps3-an547"), ("cortex-m3", "mps2-an385")],
)
def test_helpers_and_vectors_run_on_a_cortex_m(bundle: Path, tmp_path: Path, core: str, board: str) -> None:
    compiler = tool("arm-none-eabi-g++", "gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib")
    qemu = tool("qemu-system-arm", "qemu-system-arm")
    program = tmp_path / "check.elf"
    files = [bundle / "helpers_check.cc", bundle / "src/digits_vectors.cc", bundle / "src/digits_data.cc"]
    flags = [f"-mcpu={core}", "-mthumb", "-mfloat-abi=soft", "-O2", "--specs=rdimon.specs"]
    compile_([compiler, *flags, f"-T{HERE / 'cortex_m.ld'}", "-o", str(program)], bundle, *files)
    command = [qemu, "-M", board, "-nographic", "-semihosting", "-kernel", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout.strip()) == (0, "0 values wrong"), done.stderr


def test_the_helpers_check_fails_for_a_wrong_zero_point(bundle: Path, tmp_path: Path) -> None:
    settings = (bundle / "src" / "digits_settings.h").read_text()
    (tmp_path / "src").mkdir()
    for file in bundle.glob("src/*"):
        (tmp_path / "src" / file.name).write_text(file.read_text())
    (tmp_path / "src" / "digits_settings.h").write_text(settings.replace(", -128};", ", -127};", 1))
    (tmp_path / "helpers_check.cc").write_text((bundle / "helpers_check.cc").read_text())
    program = tmp_path / "check"
    files = [tmp_path / "helpers_check.cc", tmp_path / "src/digits_vectors.cc"]
    compile_([tool("g++", "g++"), "-o", str(program)], tmp_path, *files)
    assert subprocess.run([program], capture_output=True).returncode == 1


def test_the_npu_gets_a_model_of_its_own(compressed: Path) -> None:
    bundle = compressed / "alif-ensemble-e7" / "bundle"
    assert "resolver.AddEthosU()" in (bundle / "npu/src/digits_ops.h").read_text()
    assert "ethos-u" in operator_names((bundle / "npu/digits_vela.tflite").read_bytes())
    assert "Ethos-U driver" in (bundle / "README.md").read_text()
    compile_([tool("g++", "g++"), "-fsyntax-only"], bundle, bundle / "npu/src/digits_data.cc")


def test_every_operator_has_a_method_name() -> None:
    builtin = [name for name in builtin_names() if micro_has(name)]
    names = {name: resolver_method(name) for name in (*builtin, *micro_custom_operators(), "ethos-u")}
    assert names["CONV_2D"] == "AddConv2D" and names["BATCH_TO_SPACE_ND"] == "AddBatchToSpaceNd"
    assert names["RESIZE_BILINEAR"] == "AddResizeBilinear" and names["TFLM_DECODE"] == "AddDecode"
    assert names["L2_POOL_2D"] == "AddL2Pool2D" and names["RELU6"] == "AddRelu6"
    assert all(re.fullmatch(r"Add[A-Z]\w+", method) for method in names.values())
    assert names["SignalWindow"] == "AddWindow" and names["SignalRfft"] == "AddRfft"
    assert names["SignalFilterBankLog"] == "AddFilterBankLog" and names["ethos-u"] == "AddEthosU"
    assert names["CIRCULAR_BUFFER"] == "AddCircularBuffer"
    assert names["TFLite_Detection_PostProcess"] == "AddDetectionPostprocess"
    for missing in ("FlexErf", "GELU"):
        with pytest.raises(ModelError):
            resolver_method(missing)
