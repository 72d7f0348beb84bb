from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
import warnings

import pytest

from tflite_compress.support import process_settings
from tflite_compress.support.process_settings import (
    fast_imports,
    ignore_warnings,
    own_process,
    process_settings_kept,
    quieten,
)


def test_environment_warnings_and_log_levels_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETTING_KEPT", "before")
    logging.getLogger("a_library_there_before").setLevel(logging.DEBUG)
    filters, handlers = list(warnings.filters), list(logging.root.handlers)
    with process_settings_kept():
        os.environ["SETTING_KEPT"] = "changed"
        os.environ["SETTING_ADDED"] = "1"
        ignore_warnings(module="a_library_there_before")
        ignore_warnings(module="a_library_there_before")
        assert len(warnings.filters) == len(filters) + 1
        logging.root.addHandler(logging.NullHandler())
        logging.getLogger("a_library_imported_now").setLevel(logging.INFO)
        for name in ("a_library_there_before", "a_library_imported_now"):
            quieten(name)
            quieten(name)
            assert logging.getLogger(name).level == logging.ERROR
    assert os.environ["SETTING_KEPT"] == "before" and "SETTING_ADDED" not in os.environ
    assert warnings.filters == filters and logging.root.handlers == handlers
    assert logging.getLogger("a_library_there_before").level == logging.DEBUG
    assert logging.getLogger("a_library_imported_now").level == logging.INFO


def test_settings_are_restored_after_an_exception() -> None:
    with pytest.raises(KeyError), process_settings_kept():
        os.environ["SETTING_ADDED"] = "1"
        raise KeyError
    assert "SETTING_ADDED" not in os.environ


def test_optional_packages_are_hidden_in_an_own_process_while_others_are_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frozen: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append("imported"))
    monkeypatch.setattr(process_settings, "_hidden", ())
    monkeypatch.setattr(process_settings, "_OPTIONAL", ("colorsys", "os"))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with fast_imports("not_imported_yet"):  # a user's process
        importlib.import_module("colorsys")
        assert not gc.isenabled()
    assert gc.isenabled() and frozen == []
    del sys.modules["colorsys"]
    own_process()
    with fast_imports("not_imported_yet"):
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
        assert importlib.import_module("os") is os  # it was imported before
    assert frozen == ["imported"]
    assert gc.isenabled() and importlib.import_module("colorsys").hls_to_rgb
    with fast_imports("os"):
        assert gc.isenabled()
