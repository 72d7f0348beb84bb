"""Accuracy drop of channel pruning with all training images, for docs/results.md.

    python benchmarks/all_images.py [FOLDER] [--images=FOLDER] [--model=NAME] [--seed=N] [--table]

The networks, files, options and FOLDER are those of small_data.py. The result has 1 / 2.1 of the original's
MACs: at that ratio, papers such as DepGraph (arXiv:2301.12900) compare methods on ResNet-56.
Needs: apt-get install dataset-fashion-mnist; --images: a folder of Tiny ImageNet, see colour_images.py.
"""

from __future__ import annotations

from small_data import Row, channels, run_rows

ROWS = {"channels, 2.1x fewer MACs": Row(channels(20, target_macs=1 / 2.1), images=None)}
ABOUT = (
    "Written by `benchmarks/all_images.py`. Papers compare methods at this ratio of MACs on ResNet-56, which "
    "has seven times the layers of a ResNet8."
)


if __name__ == "__main__":
    run_rows(ROWS, "All training images", ABOUT, __doc__)
