from __future__ import annotations

import subprocess
import sys

import tflite_compress as tc

FUNCTIONS = (
    "apply benchmark bundle chain check compress compress_many convert devices diagnose inspect load_device "
    "load_recipe profile recipes repeat report search verify"
).split()


def test_dir_lists_every_public_name_and_each_can_be_imported() -> None:
    assert set(FUNCTIONS) <= set(dir(tc)) == set(tc.__all__)
    for name in dir(tc):
        assert getattr(tc, name) is not None


def test_importing_the_package_imports_neither_numpy_nor_tensorflow() -> None:
    code = (
        "import sys, tflite_compress as tc; dir(tc); tc.chain; tc.PruneChannels; "
        "print([m for m in ('numpy', 'tensorflow', 'keras', 'optuna') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_function_has_an_example() -> None:
    for name in FUNCTIONS:
        assert ">>> " in (getattr(tc, name).__doc__ or ""), name
