"""4-bit weights with few samples: points lost and bytes, for docs/results.md.

    python benchmarks/low_bits.py [FOLDER] [--images=FOLDER] [--model=NAME] [--row=TEXT] [--seed=N] [--table]

The networks, images, files, options and FOLDER are those of small_data.py. Rows of other
tools are the plain converter's int8 and litert-quantizer's 4-bit weights.
Needs: apt-get install dataset-fashion-mnist; --images: a folder of Tiny ImageNet, see colour_images.py.
"""

from __future__ import annotations

import others
from small_data import Recipe, Row, run_rows

ROWS = {
    "int8, converter": Row(lambda job: others.converted(job.model, job.x, job.seed)),
    "int4, litert-quantizer": Row(lambda job: others.quantized(job.model, job.x, job.seed, 4)),
    "int4, layer by layer": Row(Recipe("int4", {"max_calibration_drop": 1.0})),
    "int4": Row(Recipe("block-int4"), 1.0, 300),
    "int4, trained": Row(Recipe("qat-int4")),
    "mixed bits, 0.6x bytes": Row(Recipe("mixed-int4", {"target_size": 0.6}), 0.8, 300),
}


if __name__ == "__main__":
    run_rows(ROWS, "Few bits", "Written by `benchmarks/low_bits.py`.", __doc__)
