"""What LiteRT's GPU accelerator says in its log, as values.

``CompiledModel.is_fully_accelerated()`` is not asked: it is also True where the CPU computes everything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADAPTER = re.compile(
    r"Selected adapter: (?P<name>.*), arch=(?P<arch>[^,]*), vendor=(?P<vendor>[^,]*), "
    r"backend=(?P<backend>[^,]*), adapterType=(?P<type>.*)"
)
_REFUSED = re.compile(r"^(?P<operator>\w+): ?(?P<reason>.*)$")
_HEADING = "operations are not supported by GPU delegate"
_COUNTS = re.compile(
    r"(?P<gpu>\d+|No) operations? will run on the GPU, "
    r"and (?:the remaining|all) (?P<cpu>\d+) operations? will run on the CPU"
)
_STARTED = "Initializing WebGPU-based API from graph"


@dataclass(frozen=True)
class GpuAdapter:
    """The GPU, or the software that computes in its place.

    Attributes:
        name: Its name with the driver's version, for example ``llvmpipe (LLVM 15.0.6, 256 bits)``.
        vendor: Its vendor, for example ``mesa``.
        backend: The interface that the accelerator uses: ``Vulkan``, ``Metal``, ``D3D12``.
        is_software: True if the CPU computes.
    """

    name: str
    vendor: str
    backend: str
    is_software: bool

    def __str__(self) -> str:
        return f"{self.name}, {self.backend}"


@dataclass(frozen=True)
class Refusal:
    """Why the accelerator leaves operators of one kind to the CPU.

    Attributes:
        operator: Name in ``schema.fbs``.
        reason: The accelerator's own words, without a final period.
    """

    operator: str
    reason: str


@dataclass(frozen=True)
class GpuLog:
    """The log of compiling one file.

    Attributes:
        adapter: The adapter; None if the accelerator found none.
        refused: What the accelerator refuses, and why, in its order.
        on_gpu: Number of operators on the GPU; None if it takes all of them.
        on_cpu: Number of operators left to the CPU; 0 if it takes all.
        has_started: True if any operator runs on the GPU.
        text: The log itself.
    """

    adapter: GpuAdapter | None
    refused: tuple[Refusal, ...]
    on_gpu: int | None
    on_cpu: int
    has_started: bool
    text: str

    @property
    def is_whole(self) -> bool:
        """True if the GPU computes every operator."""
        return self.has_started and self.on_gpu is None and not self.refused


def read_log(text: str) -> GpuLog:
    """Read the log of compiling one file.

    Args:
        text: What native code printed to standard error.
    """
    counts = _COUNTS.search(text)
    on_gpu = None if counts is None else 0 if counts["gpu"] == "No" else int(counts["gpu"])
    on_cpu = 0 if counts is None else int(counts["cpu"])
    return GpuLog(read_adapter(text), _read_refusals(text), on_gpu, on_cpu, _STARTED in text, text)


def read_adapter(text: str) -> GpuAdapter | None:
    """Return the adapter that a log names; None if it names none."""
    found = _ADAPTER.search(text)
    if found is None:
        return None
    return GpuAdapter(found["name"], found["vendor"], found["backend"], "CPU" in found["type"])


def _read_refusals(text: str) -> tuple[Refusal, ...]:
    """Return the lines between the heading and the counts."""
    lines = text.splitlines()
    start = next((i + 1 for i, line in enumerate(lines) if _HEADING in line), len(lines))
    found: list[Refusal] = []
    for line in lines[start:]:
        match = _REFUSED.match(line)
        if match is None or _COUNTS.search(line):
            break
        found.append(Refusal(match["operator"], _without_tensor(match["reason"])))
    return tuple(dict.fromkeys(found))


def _without_tensor(reason: str) -> str:
    """Return a reason without the name of the tensor that may follow its last period."""
    text, period, name = reason.strip().rpartition(". ")
    return (text if period and " " not in name else reason).strip().rstrip(".")
