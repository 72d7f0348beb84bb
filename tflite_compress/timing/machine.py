"""The machine timings are taken on, and what on it disturbs them."""

from __future__ import annotations

import os
import platform
import resource
import time
from pathlib import Path

import numpy as np

from tflite_compress.timing.timing_worker import memory_bytes

BUSY_SHARE = 0.15
UNEVEN = 1.15


def machine_name() -> str:
    """This machine's architecture and processor, as reports name it."""
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
    """Most memory this process or one of its children that ended has held (resident set); None if unknown."""
    own = memory_bytes("VmHWM")
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return max(own, children) if own else None


def cpu_seconds() -> float | None:
    """Seconds all processes of this machine have computed since it started; None where it does not say."""
    try:
        fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, *rest = (int(f) for f in fields)
    stolen = rest[0] if rest else 0
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def measure_spin(seconds: float = 0.2) -> np.ndarray:
    """Milliseconds of the same piece of arithmetic again and again: on a quiet machine all alike."""
    numbers = np.arange(20_000, dtype=np.float64)
    found = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        start = time.perf_counter_ns()
        for _ in range(20):
            np.multiply(numbers, 1.0000001, out=numbers)
        found.append((time.perf_counter_ns() - start) / 1e6)
    return np.asarray(found)


def find_disturbances(spins: np.ndarray, others_cpus: float | None) -> tuple[str, ...]:
    """What makes timings here less sure, in words.

    Args:
        spins: What :func:`spin_ms` gave.
        others_cpus: How many cores other processes kept busy meanwhile; None where unknown.
    """
    notes = []
    cores = len(os.sched_getaffinity(0))
    if others_cpus is not None and others_cpus > BUSY_SHARE * cores:
        notes.append(f"other processes kept {others_cpus:.1f} of {cores} cores busy meanwhile")
    p90 = float(np.percentile(spins, 90) / np.percentile(spins, 10))
    if p90 > UNEVEN:
        notes.append(f"the same arithmetic took up to {p90:.1f}x as long from one moment to the next")
    governors = {p.read_text(encoding="utf-8").strip() for p in _governors()}
    if governors - {"performance"}:
        notes.append(f"the processor changes its clock (governor: {', '.join(sorted(governors))})")
    return tuple(notes)


def _governors() -> list[Path]:
    return sorted(Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
