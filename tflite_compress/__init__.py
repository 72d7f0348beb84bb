"""From a Keras model to the smallest, fastest ``.tflite`` that still meets its accuracy on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite_compress.api.catalog import devices, load_device, load_recipe, recipes
    from tflite_compress.api.compress_devices import compress_many
    from tflite_compress.api.compress_model import compress
    from tflite_compress.api.conversions import Dynamic, Float16, Float32, Int8, Int16x8
    from tflite_compress.api.file_functions import bundle, check, inspect, verify
    from tflite_compress.api.library_call import ProgressUpdate
    from tflite_compress.api.results import repeat, report
    from tflite_compress.api.study_model import diagnose, search
    from tflite_compress.api.tflite_model import TFLiteModel
    from tflite_compress.api.timing_functions import benchmark, profile
    from tflite_compress.api.transform import apply, chain, convert
    from tflite_compress.checking.verdict import Finding, Verdict
    from tflite_compress.compression.options import Options, Result
    from tflite_compress.data.files.audio_folder import AudioFolder
    from tflite_compress.data.files.table import Table
    from tflite_compress.data.gather import DataSpec
    from tflite_compress.diagnosis.diagnose import Diagnosis
    from tflite_compress.inspection.inspect_file import Inspection
    from tflite_compress.passes.adaround import AdaRound
    from tflite_compress.passes.base import PassConfig
    from tflite_compress.passes.bias_correct import BiasCorrect
    from tflite_compress.passes.block_round import BlockRound
    from tflite_compress.passes.calibration import Calibration
    from tflite_compress.passes.cluster import Cluster
    from tflite_compress.passes.convert import Convert
    from tflite_compress.passes.encode import Encode
    from tflite_compress.passes.equalize import Equalize
    from tflite_compress.passes.int4 import Int4
    from tflite_compress.passes.mixed import Mixed
    from tflite_compress.passes.oneshot_channels import OneshotChannels
    from tflite_compress.passes.oneshot_prune import OneshotPrune
    from tflite_compress.passes.prune import Prune
    from tflite_compress.passes.prune_channels import PruneChannels
    from tflite_compress.passes.qat import Qat
    from tflite_compress.passes.repair_float16 import RepairFloat16
    from tflite_compress.passes.slim import Slim
    from tflite_compress.passes.training import Training
    from tflite_compress.pipeline.recipes import Recipe
    from tflite_compress.profiles.devices import Device
    from tflite_compress.runtimes.compare import Comparison
    from tflite_compress.searching.search_result import SearchResult
    from tflite_compress.support.errors import (
        CompressError,
        ConfigError,
        ConversionError,
        DataError,
        MissingPackageError,
        ModelError,
        OutputError,
        UsageError,
    )
    from tflite_compress.timing.benchmark import Benchmark
    from tflite_compress.timing.profile import Profile

    __version__: str

# Module of each public name. Modules are imported on first use, so that importing the package stays fast.
_MODULES = {
    "api.catalog": "devices load_device load_recipe recipes",
    "api.compress_devices": "compress_many",
    "api.compress_model": "compress",
    "api.conversions": "Dynamic Float16 Float32 Int16x8 Int8",
    "api.file_functions": "bundle check inspect verify",
    "api.library_call": "ProgressUpdate",
    "api.results": "repeat report",
    "api.study_model": "diagnose search",
    "api.tflite_model": "TFLiteModel",
    "api.timing_functions": "benchmark profile",
    "api.transform": "apply chain convert",
    "checking.verdict": "Finding Verdict",
    "compression.options": "Options Result",
    "data.files.audio_folder": "AudioFolder",
    "data.files.table": "Table",
    "data.gather": "DataSpec",
    "diagnosis.diagnose": "Diagnosis",
    "inspection.inspect_file": "Inspection",
    "passes.adaround": "AdaRound",
    "passes.base": "PassConfig",
    "passes.bias_correct": "BiasCorrect",
    "passes.block_round": "BlockRound",
    "passes.calibration": "Calibration",
    "passes.cluster": "Cluster",
    "passes.convert": "Convert",
    "passes.encode": "Encode",
    "passes.equalize": "Equalize",
    "passes.int4": "Int4",
    "passes.mixed": "Mixed",
    "passes.oneshot_channels": "OneshotChannels",
    "passes.oneshot_prune": "OneshotPrune",
    "passes.prune": "Prune",
    "passes.prune_channels": "PruneChannels",
    "passes.qat": "Qat",
    "passes.repair_float16": "RepairFloat16",
    "passes.slim": "Slim",
    "passes.training": "Training",
    "pipeline.recipes": "Recipe",
    "profiles.devices": "Device",
    "runtimes.compare": "Comparison",
    "searching.search_result": "SearchResult",
    "support.errors": "CompressError ConfigError ConversionError DataError MissingPackageError ModelError "
    "OutputError UsageError",
    "timing.benchmark": "Benchmark",
    "timing.profile": "Profile",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}
__all__ = [
    "AdaRound",
    "AudioFolder",
    "Benchmark",
    "BiasCorrect",
    "BlockRound",
    "Calibration",
    "Cluster",
    "Comparison",
    "CompressError",
    "ConfigError",
    "ConversionError",
    "Convert",
    "DataError",
    "DataSpec",
    "Device",
    "Diagnosis",
    "Dynamic",
    "Encode",
    "Equalize",
    "Finding",
    "Float16",
    "Float32",
    "Inspection",
    "Int4",
    "Int8",
    "Int16x8",
    "MissingPackageError",
    "Mixed",
    "ModelError",
    "OneshotChannels",
    "OneshotPrune",
    "Options",
    "OutputError",
    "PassConfig",
    "Profile",
    "ProgressUpdate",
    "Prune",
    "PruneChannels",
    "Qat",
    "Recipe",
    "RepairFloat16",
    "Result",
    "SearchResult",
    "Slim",
    "TFLiteModel",
    "Table",
    "Training",
    "UsageError",
    "Verdict",
    "__version__",
    "apply",
    "benchmark",
    "bundle",
    "chain",
    "check",
    "compress",
    "compress_many",
    "convert",
    "devices",
    "diagnose",
    "inspect",
    "load_device",
    "load_recipe",
    "profile",
    "recipes",
    "repeat",
    "report",
    "search",
    "verify",
]


def __getattr__(name: str) -> object:
    """Import a public name, or look up the version, on first use."""
    if name == "__version__":
        from tflite_compress.support.version import tool_version

        return tool_version()
    if name in _HOMES:
        import importlib

        found: object = getattr(importlib.import_module(f"tflite_compress.{_HOMES[name]}"), name)
        return found
    raise AttributeError(f"module 'tflite_compress' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
