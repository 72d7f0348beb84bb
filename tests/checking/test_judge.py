"""Verdicts: what fits, what does not, and why."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run
from tests.custom import deconvolution_file, rename_operator, window_file
from tests.narrow import present
from tests.runtimes.gpu_files import gathered
from tests.samples import random_samples
from tflite_compress.checking.advice import suggest_replacement
from tflite_compress.checking.contents import read_contents
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.fit_result import FileChecker
from tflite_compress.checking.judge import check
from tflite_compress.checking.latency_estimate import count_cycles, estimate_latency
from tflite_compress.checking.verdict import Limits
from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.data.raw import random_data
from tflite_compress.data.samples import Samples
from tflite_compress.models.load import load_model
from tflite_compress.profiles.devices import all_devices, cycle_table, load_device, operator_sets
from tflite_compress.runtimes.run_result import Measurement, RunResult
from tflite_compress.support.errors import CompressError
from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import pack, schema, unpack
from tflite_compress.tflite.tensor_specs import read_signature


def evidence_of(content: bytes) -> Evidence:
    return Evidence(content, random_data(read_signature(content), 2).raw)


def build(model: Any, **settings: Any) -> bytes:
    network = load_model(model).network
    samples = random_samples(network, 8)
    return convert_network(network, ConverterSettings(**settings), samples, lambda n: None)[0]


@pytest.fixture(scope="module")
def int8(int8_file: Path) -> Evidence:
    return evidence_of(int8_file.read_bytes())


@pytest.fixture(scope="module")
def gelu(keras: ModuleType) -> bytes:
    """A model with an operator TFLite Micro lacks, in a layer with a name."""
    layers = keras.layers
    inputs = keras.Input((8,), name="features")
    x = layers.Dense(16, name="first")(inputs)
    x = layers.Activation(lambda t: keras.activations.gelu(t, approximate=False), name="smooth")(x)
    return build(keras.Model(inputs, layers.Dense(2, name="last")(x)), precision="float32")


def test_the_example_fits_the_board_it_was_made_for(int8: Evidence) -> None:
    verdict = check(int8, load_device("arduino-nano-33-ble"))
    assert verdict.fits and {f.subject for f in verdict.findings} >= {"operators", "types", "shapes", "runs"}
    ram, flash, latency = (verdict.measurement(s) for s in ("RAM", "flash", "latency"))
    assert ram and flash and latency
    assert flash.kind == latency.kind == "estimated" and latency.low and latency.high
    assert latency.low < latency.value < latency.high


@pytest.mark.parametrize(
    ("limits", "subject"),
    [
        (Limits(flash_bytes=20_000), "flash"),
        (Limits(ram_bytes=2_000), "RAM"),
        (Limits(latency_ms=0.5), "latency"),
    ],
)
def test_limits_of_the_users_own(int8: Evidence, limits: Limits, subject: str) -> None:
    verdict = check(int8, load_device("arduino-nano-33-ble"), limits)
    assert [f.subject for f in verdict.findings if f.is_blocking] == [subject]


def test_a_limit_within_an_estimates_range_is_not_met(int8: Evidence) -> None:
    device = load_device("arduino-nano-33-ble")
    cost = check(int8, device).measurement("latency")
    assert cost is not None
    finding = next(
        f for f in check(int8, device, Limits(latency_ms=cost.value)).findings if f.subject == "latency"
    )
    assert finding.fits is None and finding.is_blocking and "range" in finding.text


def test_unknown_latency_does_not_meet_a_limit(int8: Evidence) -> None:
    verdict = check(int8, load_device("raspberry-pi-4"), Limits(latency_ms=1000))
    assert not verdict.fits and check(int8, load_device("raspberry-pi-4")).fits


def test_a_measurement_on_the_device_counts(int8_file: Path) -> None:
    content = int8_file.read_bytes()
    there = Measurement("latency", 3.0, "ms", "measured", "on it")
    evidence = Evidence(
        content, random_data(read_signature(content), 1).raw, lambda c, x: RunResult("it", None, (there,))
    )
    pi = load_device("raspberry-pi-4")
    assert (
        check(evidence, pi, Limits(latency_ms=4)).fits and not check(evidence, pi, Limits(latency_ms=2)).fits
    )

    def fails(content: bytes, inputs: Any) -> RunResult:
        raise CompressError("pi: it does not answer", "Switch it on.")

    unreachable = Evidence(content, random_data(read_signature(content), 1).raw, fails)
    stops = [f.text for f in check(unreachable, pi).findings if f.is_blocking]
    assert stops == ["on the device: pi: it does not answer"]


def test_a_missing_operator_names_its_layer_and_what_to_do(gelu: bytes) -> None:
    verdict = check(evidence_of(gelu), load_device("stm32h743"))
    finding = next(f for f in verdict.findings if f.subject == "operators")
    assert finding.fits is False and "layer smooth" in finding.text and "no GELU" in finding.text
    assert "relu6" in present(finding.hint)
    runs = next(f for f in verdict.findings if f.subject == "runs")
    assert runs.fits is False and "GELU" in runs.text  # the real interpreter says the same


def test_an_operator_the_gpu_lacks_is_no_stop() -> None:
    verdict = check(evidence_of(gathered()), load_device("android-gpu"))
    texts = [f.text for f in verdict.findings if f.subject == "operators" and f.fits is None]
    assert verdict.fits and any("GATHER_ND runs on the CPU" in text for text in texts)


def test_precisions_are_read_from_the_file_and_judged(compressed: Path, keras: ModuleType) -> None:
    float16 = evidence_of((compressed / "android-gpu" / "digits.tflite").read_bytes())
    assert float16.contents.precisions == {"float16"}
    failing = [f.subject for f in check(float16, load_device("rp2040")).findings if f.fits is False]
    assert "types" in failing
    small = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    for precision in ("float32", "dynamic", "int8", "int16x8"):
        model = unpack(build(small, precision=precision))
        found = read_contents(model, 0).precisions
        assert precision in found or precision == "dynamic", (precision, found)


def test_open_shapes_on_a_linux_board_are_a_note(keras: ModuleType) -> None:
    content = build(keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)]), precision="float32")
    findings = check(evidence_of(with_open_batch(content)), load_device("raspberry-pi-4")).findings
    shapes = next(f for f in findings if f.subject == "shapes")
    assert shapes.fits is None and "left open" in shapes.text


def with_open_batch(content: bytes, axis: int = 0) -> bytes:
    """Leave a dimension of every activation open, as the converter does for a model without a fixed batch."""
    model = unpack(content)
    graph = model.subgraphs[0]
    activations = {int(i) for op in graph.operators for i in op.outputs} | set(map(int, graph.inputs))
    for index in activations:
        tensor = graph.tensors[index]
        shape = list(map(int, present(tensor.shape)))
        if len(shape) > axis:
            tensor.shapeSignature = [*shape[:axis], -1, *shape[axis + 1 :]]
    return pack(model)


@pytest.fixture(scope="module")
def small_conv(keras: ModuleType) -> bytes:
    """A small int8 convolutional network with integer inputs, as in MLPerf Tiny."""
    layers = keras.layers
    inputs = keras.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    return build(keras.Model(inputs, layers.Dense(2, name="last")(x)), precision="int8", integer_io=True)


@pytest.mark.parametrize("device", ["stm32h743", "rp2040"])
def test_an_open_batch_is_judged_as_batch_1_on_tflite_micro(small_conv: bytes, device: str) -> None:
    fixed = check(evidence_of(small_conv), load_device(device))
    verdict = check(evidence_of(with_open_batch(small_conv)), load_device(device))
    shapes = next(f for f in verdict.findings if f.subject == "shapes")
    assert fixed.fits and verdict.fits and shapes.fits is None and "batch 1" in shapes.text
    assert verdict.measurement("RAM") == fixed.measurement("RAM")


def test_other_open_dimensions_do_not_fit_tflite_micro(small_conv: bytes) -> None:
    verdict = check(evidence_of(with_open_batch(small_conv, axis=1)), load_device("stm32h743"))
    assert "shapes" in {f.subject for f in verdict.findings if f.is_blocking}


def test_an_open_batch_that_is_not_the_first_dimension_inside_fits_tflite_micro(small_conv: bytes) -> None:
    """Networks that transpose leave the batch open in another place."""
    model = unpack(with_open_batch(small_conv))
    inside = model.subgraphs[0].tensors[model.subgraphs[0].operators[0].outputs[0]]
    inside.shapeSignature = [1, -1, *list(map(int, present(inside.shape)))[2:]]
    for device, fits in (("stm32h743", None), ("coral-edge-tpu", None), ("nxp-imx93", None)):
        shapes = next(
            f for f in check(evidence_of(pack(model)), load_device(device)).findings if f.subject == "shapes"
        )
        assert shapes.fits is fits and "batch" in shapes.text


def test_fixed_inputs_with_open_tensors_inside_are_a_note(small_conv: bytes) -> None:
    model = unpack(small_conv)
    inside = model.subgraphs[0].tensors[model.subgraphs[0].operators[0].outputs[0]]
    inside.shapeSignature = [-1, *list(map(int, present(inside.shape)))[1:]]
    verdict = check(evidence_of(pack(model)), load_device("stm32h743"))
    shapes = next(f for f in verdict.findings if f.subject == "shapes")
    assert verdict.fits and shapes.fits is None and "inputs are fixed" in shapes.text


def test_every_input_of_a_file_with_many_inputs_is_given_to_the_runtime() -> None:
    """Ten inputs and a few samples: limits apply to samples, not to inputs."""
    count = 10
    assembly = Assembly("sum")
    inputs = {f"x{i}": assembly.tensor(f"x{i}", (1, 4), "float32") for i in range(count)}
    total = inputs["x0"]
    for i in range(1, count):
        total = assembly.operator(
            "ADD", [total, inputs[f"x{i}"]], f"s{i}", (1, 4), "float32", assembly.options("AddOptions")
        )
    content = assembly.finished(inputs, {"y": total})
    rng = np.random.default_rng(0)
    values = tuple(rng.normal(size=(20, 4)).astype(np.float32) for _ in range(count))
    samples, device = Samples(values, None, "made up"), load_device("raspberry-pi-4")
    checker = FileChecker(samples, tuple(inputs))
    ram = checker.check(content, device).measurement("RAM")
    assert ram is not None and ram.name == "process memory"
    text = checker.find_violation(content, device, Limits(ram_bytes=10))
    assert text is not None and text.startswith("RAM") and "limit 10 bytes" in text


def test_asymmetric_weights_and_missing_scales(int8_file: Path) -> None:
    model = unpack(int8_file.read_bytes())
    graph = model.subgraphs[0]
    op = graph.operators[0]
    weights = present(graph.tensors[op.inputs[1]].quantization)
    weights.zeroPoint = [3] * len(present(weights.scale))
    found = read_contents(model, 0)
    assert len(found.asymmetric) == 1
    stored = graph.tensors[op.inputs[1]].buffer
    graph.tensors[op.inputs[1]].buffer = 0  # an activation, as attention multiplies two
    assert not read_contents(model, 0).asymmetric
    graph.tensors[op.inputs[1]].buffer = stored
    graph.tensors[op.outputs[0]].quantization = None
    assert len(read_contents(model, 0).unquantized) == 1


def test_a_verdict_has_a_short_repr_and_html(int8: Evidence, gelu: bytes) -> None:
    for evidence in (int8, evidence_of(gelu)):
        for device in all_devices():
            verdict = check(evidence, device, Limits(1, 1, 1e-9))
            assert verdict.outcome.words in repr(verdict) and len(repr(verdict)) < 1000
            assert not verdict.outcome.is_accepted
            assert verdict._repr_html_().count("<tr>") == len(verdict.findings) + 1


def test_every_bundled_device_gives_a_verdict(int8: Evidence) -> None:
    for device in all_devices():
        verdict = check(int8, device)
        assert len(verdict.findings) >= 7 and all(f.text for f in verdict.findings), device.name


def test_latency_is_simulated_where_the_npu_runs_the_whole_model(int8: Evidence, compressed: Path) -> None:
    verdict = check(int8, load_device("alif-ensemble-e7"))
    latency = verdict.measurement("latency")
    assert latency is not None and latency.kind == "simulated" and "ethos-u55-256" in latency.source
    partly = evidence_of((compressed / "raspberry-pi-4" / "digits.tflite").read_bytes())
    assert (
        check(partly, load_device("alif-ensemble-e7")).measurement("latency") is None
    )  # part of it runs on the CPU


def test_estimates_agree_with_what_they_were_derived_from(keras: ModuleType) -> None:
    """The image classification model of MLPerf Tiny: 12.5 M MACs, 2.567 inferences a second at 120 MHz."""
    import fashion

    model = build(fashion.build_resnet8(), precision="int8", integer_io=True)
    found = read_contents(unpack(model), len(model))
    assert sum(op.macs or 0 for op in found.operators) == pytest.approx(12.5e6, rel=0.35)
    published = 120e6 / 2.567 / 12.5e6
    table = cycle_table()["cortex-m4"]
    per_mac = count_cycles(found, table) / sum(op.macs or 0 for op in found.operators)
    assert table.low * per_mac < published < table.high * per_mac


def test_an_estimate_says_what_it_covers() -> None:
    """SVDF layers have MACs; a custom operator has none that are known, so the estimate is a lower bound."""
    assembly, device = Assembly("svdf"), load_device("stm32h743")
    start = assembly.tensor("x", (1, 16), "int8")
    shapes = {"feature": (64, 16), "time": (64, 10)}
    weights = [assembly.constant(name, np.ones(shape, np.int8)) for name, shape in shapes.items()]
    state = assembly.tensor("state", (1, 640), "int8")
    last = assembly.operator("SVDF", [start, *weights, -1, state], "y", (1, 64), "int8")
    content = assembly.finished({"x": start}, {"y": assembly.operator("TANH", [last], "z", (1, 64), "int8")})
    known = estimate_latency(read_contents(unpack(content), 0), device)
    assert known is not None and "covers 2 of 2 operators and 1,660 MACs" in known.source
    assert known.value > 1664 * cycle_table()["cortex-m7"].dense / 480e3
    partly = read_contents(unpack(rename_operator(content, "TANH", "MyOwn")), 0)
    found = estimate_latency(partly, device)
    assert found is not None and "covers 1 of 2 operators and 1,660 MACs, not MyOwn" in found.source


def test_an_estimate_that_leaves_out_operators_meets_no_limit() -> None:
    verdict = check(evidence_of(window_file()), load_device("stm32h743"), Limits(latency_ms=1000))
    assert not verdict.fits  # 16-bit operators have no estimate
    content = rename_operator(small_tanh(), "TANH", "MyOwn")
    evidence = Evidence(content, random_data(read_signature(content), 1).raw)
    latency = next(
        f
        for f in check(evidence, load_device("stm32h743"), Limits(latency_ms=1000)).findings
        if f.subject == "latency"
    )
    assert latency.fits is None and latency.is_blocking and latency.text.startswith("at least")


def small_tanh() -> bytes:
    """An int8 file with two operators."""
    assembly = Assembly("tanh")
    start = assembly.tensor("x", (1, 4), "int8")
    middle = assembly.operator("LOGISTIC", [start], "y", (1, 4), "int8")
    return assembly.finished({"x": start}, {"z": assembly.operator("TANH", [middle], "z", (1, 4), "int8")})


def test_no_estimate_without_a_table(int8: Evidence, compressed: Path) -> None:
    assert estimate_latency(int8.contents, load_device("esp32")) is None
    float16 = evidence_of((compressed / "android-gpu" / "digits.tflite").read_bytes())
    assert estimate_latency(float16.contents, load_device("rp2040")) is None


def test_tables_and_profiles_refer_to_each_other() -> None:
    for device in all_devices():
        assert device.runtime.operators is None or device.runtime.operators in operator_sets()
        assert device.core.cycles is None or device.core.cycles in cycle_table()
    known = {name for name in vars(schema().BuiltinOperator)}
    for table in operator_sets().values():
        assert table.names <= known and set(table.conditions) <= table.names
    assert all(t.low < 1 < t.high and t.source for t in cycle_table().values())


def test_every_operator_has_a_suggested_replacement() -> None:
    assert "relu6" in suggest_replacement("GELU") and "TensorFlow operator" in suggest_replacement("FlexErf")
    assert suggest_replacement("SOMETHING_NEW").startswith("replace the layer")


def test_check_from_the_command_line(run: Run, int8_file: Path, digits_data: Path) -> None:
    code, out, _ = run("check", int8_file, "--device=rp2040", "--max-flash=256KB", "--max-ram=64KB")
    assert code == 0 and "✓ ready: flash about" in out and "estimated" in out
    code, out, _ = run("check", int8_file, "--device=rp2040", "--max-flash=20KB")
    assert code == 1 and "✗ too large: flash about 68.6 KB of 20 KB" in out
    assert "so no model fits" in " ".join(out.split()) and "--max-flash=105KB" in out
    code, out, _ = run("check", int8_file, "--device=rp2040", "--max-flash=105KB", "--json")
    (verdict,) = (device["verdict"] for device in json.loads(out))
    assert code == 0 and verdict["kind"] == "ready" and verdict["is_accepted"]  # the hint works
    code, out, _ = run("check", int8_file, "--device=rp2040,stm32h743", "--max-latency-ms=10", "--json")
    assert code == 1
    assert {v["device"]: v["fits"] for v in json.loads(out)} == {"rp2040": False, "stm32h743": True}
    code, out, _ = run("check", int8_file, "--device=all")
    assert code == 0 and all(device.name in out for device in all_devices())
    for least, expected in ((0.9, 0), (0.99, 1)):
        code, out, _ = run(
            "check", int8_file, "--device=rp2040", f"--data={digits_data}", f"--min-accuracy={least}"
        )
        assert code == expected and "top1" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check"], "MODEL is missing"),
        (["check", "MODEL"], "--device is missing"),
        (["check", "none.tflite", "--device=rp2040"], "cannot be read"),
        (["check", "MODEL", "--device=rp2041"], "Did you mean 'rp2040'"),
        (["check", "MODEL", "--device=rp2040", "--max-ram=lots"], "expected a size"),
        (["check", "MODEL", "--device=rp2040", "--max-latency-ms=soon"], "expected a number"),
        (["check", "MODEL", "--device=rp2040", "--min-accuracy=0.9"], "needs --data"),
        (["check", "KERAS", "--device=rp2040"], "not a .tflite file"),
        (["verify", "MODEL", "--runtime=tflm2"], "Did you mean 'tflm'"),
        (["verify", "MODEL", "--samples=0"], "whole number from 1"),
        (["verify", "MODEL", "--runtime=adb"], "needs --benchmark-model"),
        (["bundle", "MODEL", "--device=rp2040,esp32"], "expected one device"),
        (["bundle", "MODEL", "--device=rp2040", "--labels=none.txt"], "cannot be read"),
    ],
)
def test_wrong_arguments_exit_with_code_2(
    run: Run, int8_file: Path, digits: Path, arguments: list[str], message: str
) -> None:
    named = [{"MODEL": str(int8_file), "KERAS": str(digits)}.get(a, a) for a in arguments]
    code, _, err = run(*named)
    assert code == 2 and message in err and "Traceback" not in err


@pytest.mark.slow
def test_verify_from_the_command_line(run: Run, int8_file: Path, emulator: Path, digits_data: Path) -> None:
    code, out, _ = run("verify", int8_file, "--emulate", f"--data={digits_data}", "--json")
    rows = {row["runtime"]: row for row in json.loads(out)}
    assert code == 0 and rows["tflm"]["same"] and rows["emulate"]["same"]
    assert rows["emulate"]["largest_difference"] == 0
    code, out, _ = run("verify", int8_file, "--runtime=tflm,vela:ethos-u65-256")
    assert code == 0 and "cycles" in out and "arena tail" in out


def test_bundle_from_the_command_line(run: Run, int8_file: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(map(str, range(10))))
    code, out, _ = run("bundle", int8_file, "--device=esp32", f"--labels={tmp_path}/names.txt", "--out=esp")
    assert code == 0 and "README.md" in out
    assert 'kLabels[] = {"0", "1",' in Path("esp/src/digits_settings.h").read_text()
    assert run("bundle", int8_file, "--device=esp32", "--out=esp")[0] == 0  # replaces its own earlier result
    Path("mine").mkdir()
    Path("mine/file").write_text("x")
    code, _, err = run("bundle", int8_file, "--device=esp32", "--out=mine")
    assert code == 2 and "other than a result" in err and Path("mine/file").exists()


def test_a_file_runs_on_its_runtime_once(monkeypatch: pytest.MonkeyPatch, int8_file: Path) -> None:
    """Limits, the report and the bundle all ask the same file."""
    from tflite_compress.runtimes import tflm_runtime

    calls: list[bytes] = []
    ask = tflm_runtime.micro_runtime

    def counted(content: bytes, inputs: Any) -> Any:
        calls.append(content)
        return ask(content, inputs)

    monkeypatch.setattr(tflm_runtime, "micro_runtime", counted)
    content, device = int8_file.read_bytes(), load_device("rp2040")
    samples = Samples((np.zeros((4, 8, 8, 1), np.float32),), None, "zeros")
    checker = FileChecker(samples, ("image",))
    assert checker.find_violation(content, device, Limits(ram_bytes=1 << 20)) is None
    assert checker.check(content, device).fits
    assert checker.bundle(content, device, "digits", "none")
    assert len(calls) == 1


def test_a_custom_operator_of_the_xnnpack_delegate_is_not_missing() -> None:
    evidence = evidence_of(deconvolution_file())
    found = [f for f in check(evidence, load_device("raspberry-pi-4")).findings if f.subject == "operators"]
    text = "of LiteRT, only the XNNPACK delegate has Convolution2DTransposeBias (layer enlarged)"
    assert [(f.fits, f.text) for f in found] == [(True, text)]
    micro = [f for f in check(evidence, load_device("rp2040")).findings if f.subject == "operators"]
    assert [f.fits for f in micro] == [False]
