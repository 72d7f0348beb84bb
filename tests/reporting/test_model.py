from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import pytest

from tests.reporting.sample import accuracy, latency, sample_report
from tflite_compress.reporting.model import (
    SCHEMA_VERSION,
    Report,
    decode_report,
    encode_report,
    report_schema,
    shipped_schema,
)


def test_a_report_survives_encoding() -> None:
    report = sample_report(latency=latency(0.02, 0.03, 0.029))
    assert decode_report(encode_report(report)) == report


def test_a_report_cannot_be_changed() -> None:
    report = sample_report()
    for part in (report, report.accuracy, report.size.result, report.latency):
        name = part.__struct_fields__[0]
        with pytest.raises(AttributeError):
            setattr(part, name, None)


def test_every_part_is_frozen() -> None:
    def parts(kind: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
        found = {kind}
        for sub in kind.__subclasses__():
            found |= parts(sub)
        return found

    structs = [s for s in parts(msgspec.Struct) if s.__module__.startswith("tflite_compress.reporting")]
    assert Report in structs and len(structs) > 20
    assert all(s.__struct_config__.frozen for s in structs)
    assert not any(dataclasses.is_dataclass(s) for s in structs)


def test_the_shipped_schema_is_up_to_date() -> None:
    """Write it again with: python -m tflite_compress.reporting.write_schema."""
    assert json.loads(shipped_schema()) == json.loads(json.dumps(report_schema()))


def test_a_real_report_matches_the_schema(compressed: Path) -> None:
    import jsonschema

    schema = json.loads(shipped_schema())
    for path in compressed.glob("*/report.json"):
        jsonschema.validate(json.loads(path.read_text()), schema)
        assert decode_report(path.read_bytes()).schema_version == SCHEMA_VERSION


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"schema_version": 1}, "schema_version"),
        ({"accuracy": None}, "accuracy"),
        ({"size": {"baseline": {"bytes": "x"}}}, "size.baseline.bytes"),
    ],
)
def test_a_damaged_report_names_the_field(change: dict[str, object], field: str) -> None:
    plain = json.loads(encode_report(sample_report())) | change
    with pytest.raises(msgspec.ValidationError, match=field.replace(".", r"\.")):
        decode_report(json.dumps(plain))


def test_the_lowest_accepted_accuracy() -> None:
    assert accuracy().lowest_accepted == pytest.approx(0.96)
    error = msgspec.structs.replace(accuracy().metric, higher_is_better=False)
    assert accuracy(metric=error).lowest_accepted is None
    assert accuracy(is_verified=False).lowest_accepted is None
