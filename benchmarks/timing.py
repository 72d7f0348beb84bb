"""How far the median of single runs is from a tight loop: python benchmarks/timing.py MODEL.tflite ...

Both are timed interleaved in one process; the tight loop is timed as a whole and has nothing else in it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tflite_compress.data.raw import samples_for
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.timing.interleaved import Contender, start_contender
from tflite_compress.timing.overhead import measure_call_overhead

TURNS, RUNS = 31, 500


def compared(path: Path) -> tuple[float, float, float]:
    """Median single run and tight loop, both in us, and the median ratio over turns."""
    content = read_validated(path)
    inputs = samples_for(read_signature(content), None, "none", 1)[0].raw
    with start_contender(Contender(str(path), content, inputs)) as (child, _):
        child.run(4 * RUNS)
        pairs = [(float(np.median(child.run(RUNS))), child.loop(RUNS)) for _ in range(TURNS)]
    singles, loops = (np.array(column) for column in zip(*pairs, strict=True))
    return float(np.median(singles)) * 1e3, float(np.median(loops)) * 1e3, float(np.median(singles / loops))


if __name__ == "__main__":
    print(f"a call by itself: {measure_call_overhead() * 1e3:.2f} us")
    for name in sys.argv[1:]:
        single, loop, ratio = compared(Path(name))
        print(f"{name}: median of single runs {single:.2f} us, tight loop {loop:.2f} us, ratio {ratio:.3f}")
