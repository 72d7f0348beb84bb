"""The passes a recipe can name. A new technique is a new module and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tflite_compress.passes import (
    adaround,
    bias_correct,
    cluster,
    convert,
    distill_trees,
    drop_trees,
    encode,
    equalize,
    export_trees,
    int4,
    merge_subtrees,
    mixed,
    prune,
    prune_channels,
    prune_trees,
    qat,
    quantize_trees,
    ranges,
    slim,
)
from tflite_compress.passes.adaround import AdaRound
from tflite_compress.passes.base import Context, Model, PassConfig
from tflite_compress.passes.bias_correct import BiasCorrect
from tflite_compress.passes.cluster import Cluster
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.distill_trees import DistillTrees
from tflite_compress.passes.drop_trees import DropTrees
from tflite_compress.passes.encode import Encode
from tflite_compress.passes.equalize import Equalize
from tflite_compress.passes.export_trees import ExportTrees
from tflite_compress.passes.int4 import Int4
from tflite_compress.passes.merge_subtrees import MergeSubtrees
from tflite_compress.passes.mixed import Mixed
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.prune_channels import PruneChannels
from tflite_compress.passes.prune_trees import PruneTrees
from tflite_compress.passes.qat import Qat
from tflite_compress.passes.quantize_trees import QuantizeTrees
from tflite_compress.passes.ranges import Ranges
from tflite_compress.passes.repair import Repair
from tflite_compress.passes.slim import Slim

ForestPass = DistillTrees | PruneTrees | DropTrees | QuantizeTrees | MergeSubtrees | ExportTrees

AnyPass = (
    PruneChannels
    | Prune
    | Cluster
    | Equalize
    | Int4
    | Ranges
    | AdaRound
    | BiasCorrect
    | Mixed
    | Qat
    | Convert
    | Slim
    | Encode
    | DistillTrees
    | PruneTrees
    | DropTrees
    | QuantizeTrees
    | MergeSubtrees
    | ExportTrees
)

_APPLY: dict[type[PassConfig], Callable[[Any, Model, Context], Model]] = {
    PruneChannels: prune_channels.apply,
    Prune: prune.apply,
    Cluster: cluster.apply,
    Equalize: equalize.apply,
    Int4: int4.apply,
    Ranges: ranges.apply,
    AdaRound: adaround.apply,
    BiasCorrect: bias_correct.apply,
    Mixed: mixed.apply,
    Qat: qat.apply,
    Convert: convert.apply,
    Slim: slim.apply,
    Encode: encode.apply,
    DistillTrees: distill_trees.apply,
    PruneTrees: prune_trees.apply,
    DropTrees: drop_trees.apply,
    QuantizeTrees: quantize_trees.apply,
    MergeSubtrees: merge_subtrees.apply,
    ExportTrees: export_trees.apply,
}


__all__ = [
    "AdaRound",
    "AnyPass",
    "BiasCorrect",
    "Cluster",
    "Context",
    "Convert",
    "DistillTrees",
    "DropTrees",
    "Encode",
    "Equalize",
    "ExportTrees",
    "ForestPass",
    "Int4",
    "MergeSubtrees",
    "Mixed",
    "Model",
    "PassConfig",
    "Prune",
    "PruneChannels",
    "PruneTrees",
    "Qat",
    "QuantizeTrees",
    "Ranges",
    "Repair",
    "Slim",
    "apply_pass",
    "needs_training",
    "pass_name",
]


def apply_pass(config: PassConfig, model: Model, context: Context) -> Model:
    """Run one pass.

    Args:
        config: Its settings, which also say which pass it is.
        model: What the pass before gave.
        context: Data, teacher, seed and progress.

    Returns:
        The next model; ``model`` stays as it was.
    """
    return _APPLY[type(config)](config, model, context)


def pass_name(config: PassConfig) -> str:
    """The name of a pass in recipes."""
    return str(type(config).__struct_config__.tag)


def needs_training(config: PassConfig) -> bool:
    """True for passes that change the float network, or a forest's trees, by what training data says."""
    return isinstance(config, PruneChannels | Prune | Cluster | Qat | DistillTrees | PruneTrees | DropTrees)
