"""The verdict: does a file fit a device, and if not, why and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tflite_compress.checking.advice import suggest_replacement
from tflite_compress.checking.contents import Contents
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.latency_estimate import estimate_latency
from tflite_compress.profiles.devices import Device, operator_sets
from tflite_compress.runtimes.run_result import Measurement, RunResult
from tflite_compress.support.errors import CompressError

Subject = Literal[
    "runs", "operators", "types", "shapes", "quantization", "flash", "RAM", "latency", "NPU", "accuracy"
]
MICRO_CORE_BYTES = 16 * 1024
MICRO_KERNEL_BYTES = 4 * 1024
MOST_NAMED = 4


@dataclass(frozen=True)
class Limits:
    """What the user demands besides the device's own limits; None demands nothing.

    Attributes:
        flash_bytes: Most flash for model and runtime.
        ram_bytes: Most RAM.
        latency_ms: Longest inference; an estimate counts with the upper end of its range.
    """

    flash_bytes: int | None = None
    ram_bytes: int | None = None
    latency_ms: float | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes:
        subject: What.
        fits: True or False; None where nobody can tell, or where it is only worth knowing.
        text: What was found.
        do: What to do about it.
        cost: The figure, if it is about one.
        demanded: The user set a limit, so that not knowing counts as not fitting.
    """

    subject: Subject
    fits: bool | None
    text: str
    do: str = ""
    cost: Measurement | None = None
    demanded: bool = False

    @property
    def is_blocking(self) -> bool:
        """True where the file does not fit because of this."""
        return self.fits is False or (self.demanded and self.fits is None)


@dataclass(frozen=True)
class Verdict:
    """All findings for one device."""

    device: Device
    findings: tuple[Finding, ...]

    @property
    def fits(self) -> bool:
        """True where nothing stands against it."""
        return not any(f.is_blocking for f in self.findings)

    def measurement(self, subject: Subject) -> Measurement | None:
        """The figure found for a subject."""
        return next((f.cost for f in self.findings if f.subject == subject and f.cost), None)


def check(evidence: Evidence, device: Device, limits: Limits = NO_LIMITS) -> Verdict:
    """Check a file against a device.

    Args:
        evidence: The file and the runtimes' answers.
        device: The profile.
        limits: What the user demands.
    """
    contents = evidence.contents
    findings = [
        *_operators(contents, device),
        *_types(contents, device),
        *_shapes(contents, device),
        *_quantization(contents, device),
        *_npu(evidence, device),
        *_runs(evidence, device),
        *_flash(contents, device, limits),
        *_ram(evidence, device, limits),
        *_latency(evidence, device, limits),
    ]
    return Verdict(device, tuple(findings))


def _operators(contents: Contents, device: Device) -> list[Finding]:
    if device.runtime.operators is None:
        custom = [op for op in contents.operators if op.name.startswith("Flex") or op.name == "TFLM_DECODE"]
        title, fails, missing = "LiteRT", True, custom
    else:
        known = operator_sets()[device.runtime.operators]
        title, fails = known.title, known.missing_means == "fails"
        missing = [op for op in contents.operators if op.name not in known.names]
    kinds = {op.name for op in contents.operators}
    if not missing:
        return [Finding("operators", True, f"{title} has all {len(kinds)} kinds")]
    found = []
    for name in dict.fromkeys(op.name for op in missing):
        layers = list(dict.fromkeys(op.layer or "?" for op in missing if op.name == name))
        more = f" and {len(layers) - MOST_NAMED} more" if len(layers) > MOST_NAMED else ""
        where = f"layer {', '.join(layers[:MOST_NAMED])}{more}"
        ending = "" if fails else ": it runs on the CPU, and each change of side costs time"
        text = f"{title} has no {name} ({where}){ending}"
        found.append(Finding("operators", False if fails else None, text, suggest_replacement(name)))
    return found


def _types(contents: Contents, device: Device) -> list[Finding]:
    used = sorted(contents.precisions)
    unknown = [t for t in used if t not in device.precisions.supported]
    if unknown:
        text = f"computes in {', '.join(unknown)}; the device runs {', '.join(device.precisions.supported)}"
        return [Finding("types", False, text, f"Convert it with --recipe={device.default_recipe}.")]
    packed = [op for op in contents.operators if op.four_bit and op.name not in device.runtime.four_bit]
    if packed:
        kinds, layers = ", ".join(sorted({op.name for op in packed})), [op.layer for op in packed]
        text = (
            f"4-bit weights, for which there is no known kernel: {kinds} ({', '.join(layers[:MOST_NAMED])})"
        )
        return [Finding("types", False, text, "Keep 8 bits there: --recipe=int8.")]
    if contents.trees:
        return [Finding("types", True, "decision trees: compares in float32, whatever type tables have")]
    slow = [t for t in used if t not in device.precisions.fast]
    if slow:
        text = f"computes in {', '.join(used)}; fast here: {', '.join(device.precisions.fast)}"
        return [Finding("types", None, text, f"--recipe={device.default_recipe} may be faster.")]
    return [Finding("types", True, f"computes in {', '.join(used) or 'integers'}")]


def _shapes(contents: Contents, device: Device) -> list[Finding]:
    opened = (*contents.open_batch, *contents.open_shapes)
    if not opened:
        return [Finding("shapes", True, "all fixed")]
    if device.runtime.name == "tflm" and not contents.open_shapes:
        text = f"the batch is left open in {len(opened)} tensors: judged as batch 1, as TFLite Micro runs it"
        return [Finding("shapes", None, text)]
    fixed_only = device.runtime.name != "litert" or device.kind == "accelerator" or device.npu is not None
    text = f"left open in {len(opened)} tensors: {', '.join(opened[:MOST_NAMED])}"
    if fixed_only:
        return [Finding("shapes", False, text, "Convert it with fixed sizes and batch 1.")]
    return [Finding("shapes", None, text, "Delegates need fixed sizes; convert with batch 1.")]


def _quantization(contents: Contents, device: Device) -> list[Finding]:
    found = []
    if contents.unquantized:
        text = f"integer tensors without a scale: {', '.join(contents.unquantized[:MOST_NAMED])}"
        found.append(Finding("quantization", False, text, "Convert it again with a representative dataset."))
    if contents.asymmetric:
        text = f"int8 weights with a zero point other than 0: {', '.join(contents.asymmetric[:MOST_NAMED])}"
        refused = device.runtime.name != "litert"
        do = "Convert it with a current converter: int8 weights are symmetric."
        found.append(Finding("quantization", False if refused else None, text, do))
    return found


def _npu(evidence: Evidence, device: Device) -> list[Finding]:
    if device.npu is None:
        return []
    answer = evidence.npu(device.npu)
    if isinstance(answer, CompressError):
        return [Finding("NPU", None, answer.message, answer.hint)]
    share, sram = answer.measurement("operators on the NPU"), answer.measurement("sram")
    part = f"{share.value:.0%} of operators" if share else "the model"
    memory = f", {sram.value:,.0f} bytes of SRAM" if sram else ""
    text = f"{answer.runtime}: {part} on the NPU{memory}"
    left = "; ".join(answer.notes[:MOST_NAMED])
    return [Finding("NPU", True if share is None or share.value == 1 else None, text, left, share)]


def _runs(evidence: Evidence, device: Device) -> list[Finding]:
    if device.runtime.name == "edgetpu":
        text = "not tried: the model has to go through edgetpu_compiler, which is not part of this tool"
        return [Finding("runs", None, text)]
    answer = evidence.runtime_of(device)
    if isinstance(answer, CompressError):
        return [Finding("runs", False, answer.message, answer.hint)]
    found = [Finding("runs", True, f"in {answer.runtime}, on this machine")]
    measured = evidence.measured
    if isinstance(measured, CompressError):
        found.append(Finding("runs", False, f"on the device: {measured.message}", measured.hint))
    elif measured is not None:
        found.append(Finding("runs", True, f"on the device: {measured.runtime}"))
    return found


def _flash(contents: Contents, device: Device, limits: Limits) -> list[Finding]:
    limit = limits.flash_bytes or device.memory.flash_bytes
    if device.runtime.name == "tflm":
        kinds = len({op.name for op in contents.operators})
        code = MICRO_CORE_BYTES + MICRO_KERNEL_BYTES * kinds
        low, high = contents.bytes + code / 2, contents.bytes + 2 * code
        how = (
            f"model {contents.bytes:,} bytes; TFLite Micro about {code:,}: 16 KB core (its documentation), "
            f"4 KB for each of {kinds} kinds of operator (rule of thumb)"
        )
        cost = Measurement("flash", contents.bytes + code, "bytes", "estimated", how, low, high)
    else:
        cost = Measurement(
            "flash", contents.bytes, "bytes", "measured", "the file; the LiteRT library is about 15 MB more"
        )
    return [
        _within(
            "flash", cost, limit, limits.flash_bytes is not None, "Try --recipe=tiny-mcu or channel pruning."
        )
    ]


def _ram(evidence: Evidence, device: Device, limits: Limits) -> list[Finding]:
    limit = limits.ram_bytes or device.memory.ram_bytes
    demanded = limits.ram_bytes is not None
    if device.runtime.name == "edgetpu":
        return [Finding("RAM", None, "on-chip memory is planned by edgetpu_compiler", demanded=demanded)]
    answer = evidence.runtime_of(device)
    if isinstance(answer, CompressError):
        return [Finding("RAM", None, "unknown: the runtime refuses the model", demanded=demanded)]
    cost = answer.measurement("arena to reserve") or answer.measurement("process memory")
    do = "Smaller inputs or fewer channels early in the network shrink it most."
    return [_within("RAM", cost, limit, demanded, do)]


def _latency(evidence: Evidence, device: Device, limits: Limits) -> list[Finding]:
    demanded = limits.latency_ms is not None
    measured = evidence.measured
    cost = measured.measurement("latency") if isinstance(measured, RunResult) else None
    if cost is None and device.npu is not None:
        cost = _npu_latency(evidence.npu(device.npu))
    if cost is None and device.npu is None:
        cost = estimate_latency(evidence.contents, device)
    if cost is None:
        do = "Measure it there: --ssh=HOST, or --adb with --benchmark-model."
        return [Finding("latency", None, "unknown: not measured on the device", do, demanded=demanded)]
    return [_within("latency", cost, limits.latency_ms, demanded, "Try --recipe=channel-prune-int8.")]


def _npu_latency(compiled: RunResult | CompressError) -> Measurement | None:
    """Vela's figure, if it covers the whole model: what is left to the CPU is not in it."""
    if isinstance(compiled, CompressError):
        return None
    share = compiled.measurement("operators on the NPU")
    return compiled.measurement("latency") if share is not None and share.value == 1 else None


def _within(
    subject: Subject, cost: Measurement | None, limit: float | None, demanded: bool, do: str
) -> Finding:
    """Compare a figure with a limit; a range that spans the limit leaves it open."""
    if cost is None:
        return Finding(subject, None, "unknown", demanded=demanded)
    if limit is None:
        return Finding(subject, True if not demanded else None, str(cost), cost=cost)
    low = cost.value if cost.low is None else cost.low
    high = cost.value if cost.high is None else cost.high
    number = f"{limit:,.0f}" if cost.unit == "bytes" else f"{limit:g}"
    text = f"{cost}; limit {number} {cost.unit}"
    if high <= limit:
        return Finding(subject, True, text, cost=cost, demanded=demanded)
    if low > limit:
        return Finding(subject, False, text, do, cost, demanded)
    return Finding(subject, None, f"{text}, within the range of the estimate", do, cost, demanded)


def judge_accuracy(cost: Measurement, least: float) -> Finding:
    """Compare a measured accuracy with what the user demands."""
    fits = cost.value >= least
    return Finding(
        "accuracy", fits, f"{cost}; at least {least:g} demanded", "Choose a gentler recipe.", cost, True
    )
