from __future__ import annotations

from pathlib import Path

import pytest

from tflite_compress.pipeline.plan import make_plan
from tflite_compress.profiles.device_table import facts
from tflite_compress.profiles.devices import all_devices, load_device
from tflite_compress.profiles.toml_files import bundled_folder, bundled_names
from tflite_compress.support.errors import ConfigError, spelled

PROMISED = (
    "raspberry-pi-zero-2-w raspberry-pi-3b-plus raspberry-pi-4 raspberry-pi-5 android-cpu android-gpu "
    "android-npu arduino-nano-33-ble esp32 esp32-s3 stm32f746 stm32h743 rp2040 rp2350 alif-ensemble-e7 "
    "coral-edge-tpu nxp-imx93"
).split()


def test_the_promised_devices_are_there() -> None:
    assert set(PROMISED) <= set(bundled_names("devices"))


@pytest.mark.parametrize("name", bundled_names("devices"))
def test_every_profile_loads_and_gives_a_plan(name: str) -> None:
    device = load_device(name)
    assert device.name == name
    assert set(device.precisions.fast) <= set(device.precisions.supported)
    assert device.kind != "microcontroller" or device.memory.flash_bytes
    for fact in facts(device):  # all but the absence of a clock, or of flash on the board
        absent = fact.value in ("not published", "on a card or disk")
        assert absent or len(fact.source or "") > 10, fact
    assert not any(isinstance(getattr(device.sources, f), str) for f in device.sources.__struct_fields__)
    assert make_plan(name, None, {}).candidates


def test_all_devices_are_sorted_by_name() -> None:
    names = [d.name for d in all_devices()]
    assert names == sorted(names)


def test_a_users_profile_by_path_and_its_mistakes(tmp_path: Path) -> None:
    text = (bundled_folder("devices") / "rp2040.toml").read_text()
    (tmp_path / "board.toml").write_text(text)
    assert load_device("board.toml").name == "rp2040"
    (tmp_path / "board.toml").write_text(text.replace("clock_mhz = 133", "clock_mhz = -1"))
    with pytest.raises(ConfigError, match=r"board\.toml: core\.clock_mhz: expected `int`"):
        load_device("board.toml")


@pytest.mark.parametrize(
    ("device", "key", "right"),
    [("coral-edge-tpu", "operators", "edgetpu"), ("rp2040", "cycles", "cortex-m0plus")],
)
def test_tables_a_profile_names_must_exist(tmp_path: Path, device: str, key: str, right: str) -> None:
    text = (bundled_folder("devices") / f"{device}.toml").read_text()
    (tmp_path / "board.toml").write_text(text.replace(f'{key} = "{right}"', f'{key} = "{right}x"'))
    with pytest.raises(ConfigError, match=f"there is no table '{right}x'. Did you mean '{right}'"):
        load_device("board.toml")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("pico", "rp2040"), ("nano33", "arduino-nano-33-ble"), ("esp32s3", "esp32-s3"),
        ("Pixel", "android-cpu"), ("pi4", "raspberry-pi-4"), ("RP2040", "rp2040"),
        ("Raspberry_Pi_4", "raspberry-pi-4"),
    ],
)  # fmt: skip
def test_aliases_and_spellings(typed: str, name: str) -> None:
    assert load_device(typed).name == name


def test_one_source_for_a_table_and_mistakes_in_sources(tmp_path: Path) -> None:
    text = (bundled_folder("devices") / "rp2040.toml").read_text()
    head = text.partition("[sources]")[0]
    plain = "".join(f'{table} = "a data sheet"\n' for table in ("core", "memory", "precisions", "runtime"))
    (tmp_path / "board.toml").write_text(f'{head}[sources]\n{plain}limits = "a data sheet"\n')
    assert {fact.source for fact in facts(load_device("board.toml"))} == {"a data sheet"}
    (tmp_path / "board.toml").write_text(f'{head}[sources]\n{plain}limits = ["one"]\n')
    with pytest.raises(ConfigError, match="1 sources for 5 limits"):
        load_device("board.toml")
    (tmp_path / "board.toml").write_text(text.replace("[sources.core]\nname", "[sources.core]\nnme"))
    with pytest.raises(ConfigError, match=r"sources\.core\.nme: there is no such fact\. Did you mean 'name'"):
        load_device("board.toml")


def test_an_alias_names_one_device() -> None:
    names = [spelled(name) for name in bundled_names("devices")]
    aliases = [spelled(alias) for device in all_devices() for alias in device.aliases]
    assert len({*names, *aliases}) == len(names) + len(aliases)


@pytest.mark.parametrize(
    ("typed", "suggested"),
    [("stm32", "'stm32f746' or 'stm32h743'"), ("android", "'android-cpu', 'android-gpu' or 'android-npu'"),
     ("raspi4", "'raspberry-pi-4'"), ("picoo", "'pico' or 'pico2'")],
)  # fmt: skip
def test_several_devices_are_suggested(typed: str, suggested: str) -> None:
    with pytest.raises(ConfigError, match=rf"Did you mean {suggested}\?"):
        load_device(typed)


def test_unknown_devices_are_guessed_at() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'raspberry-pi-4'"):
        load_device("rasberry-pi-4")
