"""Channel pruning with all training images, as in papers: the points it loses, for docs/results.md.

    python benchmarks/all_images.py [FOLDER] [--images=FOLDER] [--model=NAME] [--seed=N] [--table]

The networks, files, options and FOLDER are those of small_data.py. The number of MACs is 1 / 2.1 of the
original's, as papers have it for ResNet-56: DepGraph (arXiv:2301.12900) compares with others there.
Needs: apt-get install dataset-fashion-mnist; --images: a folder of Tiny ImageNet, see colour_images.py.
"""

from __future__ import annotations

from small_data import Row, channels, run_rows

ROWS = {"channels, 2.1x fewer MACs": Row(channels(20, target_macs=1 / 2.1), images=None)}


if __name__ == "__main__":
    ABOUT = (
        "Written by `benchmarks/all_images.py`. Papers give this ratio of MACs for ResNet-56, which has "
        "seven times the layers of ResNet8 and more channels to spare."
    )
    run_rows(ROWS, "All training images", ABOUT, __doc__)
