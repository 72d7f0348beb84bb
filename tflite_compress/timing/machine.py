"""The machine that timings are taken on, and what disturbs them."""

from __future__ import annotations

import os
import platform
import resource
import time
from pathlib import Path

import numpy as np

from tflite_compress.support.notes import Note
from tflite_compress.timing.timing_worker import memory_bytes

BUSY_SHARE = 0.15
UNEVEN = 1.15


def machine_name() -> str:
    """Return this machine's architecture and processor, for reports."""
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("model name"):
                    processor = line.partition(":")[2].strip()
                    break
    except OSError:
        pass
    return f"{platform.machine()}, {processor}"


def peak_bytes() -> int | None:
    """Return the peak resident memory of this process or an ended child in bytes; None if unknown."""
    own = memory_bytes("VmHWM")
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return max(own, children) if own else None


def cpu_seconds() -> float | None:
    """Return the CPU seconds of all processes since the machine started; None if unknown."""
    try:
        fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, *rest = (int(f) for f in fields)
    stolen = rest[0] if rest else 0
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def measure_spin(seconds: float = 0.2) -> np.ndarray:
    """Time the same arithmetic repeatedly; return ms per repetition, which are equal on an idle machine."""
    numbers = np.arange(20_000, dtype=np.float64)
    found = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        start = time.perf_counter_ns()
        for _ in range(20):
            np.multiply(numbers, 1.0000001, out=numbers)
        found.append((time.perf_counter_ns() - start) / 1e6)
    return np.asarray(found)


def find_disturbances(spins: np.ndarray, others_cpus: float | None) -> tuple[Note, ...]:
    """Describe what makes timings on this machine less reliable.

    Args:
        spins: Times of :func:`measure_spin` before and after the measurement, in ms.
        others_cpus: Number of cores that other processes kept busy; None if unknown.
    """
    notes = []
    cores = len(os.sched_getaffinity(0))
    if others_cpus is not None and others_cpus > BUSY_SHARE * cores:
        text = f"other processes kept {others_cpus:.1f} of {cores} cores busy during the measurement"
        notes.append(Note("machine-busy", text, "warning"))
    p90 = float(np.percentile(spins, 90) / np.percentile(spins, 10))
    if p90 > UNEVEN:
        text = f"the speed of the processor varied by up to {p90:.1f}x during the measurement"
        notes.append(Note("speed-varied", text, "warning"))
    governors = {p.read_text(encoding="utf-8").strip() for p in _governors()}
    if governors - {"performance"}:
        text = f"the processor changes its clock frequency (governor: {', '.join(sorted(governors))})"
        notes.append(Note("clock-changes", text, "warning"))
    return tuple(notes)


def _governors() -> list[Path]:
    return sorted(Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
