"""Settings of the process that imports change: environment, warning filters, log levels."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator

# Keras imports them where they are installed, for functions that this tool does not call. That takes 40 %
# of the time to import TensorFlow.
_OPTIONAL = ("IPython", "matplotlib", "pandas", "scipy", "sklearn")
_hidden: tuple[str, ...] = ()
_IMPORTED_LEVELS: dict[str, int] = {}  # log levels that a library set when it was imported, by logger


def quieten(logger: str) -> None:
    """Log only errors of a library.

    Args:
        logger: Name of the library's logger.
    """
    found = logging.getLogger(logger)
    _IMPORTED_LEVELS.setdefault(logger, found.level)
    found.setLevel(logging.ERROR)


def ignore_warnings(message: str = "", module: str = "") -> None:
    """Ignore warnings, unless that is set already.

    Args:
        message: Regular expression that the start of the text matches; all texts by default.
        module: Regular expression that the start of the module's name matches; all modules by default.
    """
    text = re.compile(message, re.IGNORECASE) if message else None
    if ("ignore", text, Warning, re.compile(module) if module else None, 0) not in warnings.filters:
        warnings.filterwarnings("ignore", message, module=module)


def own_process() -> None:
    """Let :func:`fast_imports` leave out packages that Keras can do without.

    Call it where only this tool runs. In a user's process Keras must find every package.
    """
    global _hidden
    _hidden = _OPTIONAL


@contextlib.contextmanager
def fast_imports(package: str) -> Iterator[None]:
    """Import a large package faster: no garbage collection, and no optional packages in an own process.

    Optional packages can be imported afterwards. In an own process, the garbage collector no longer looks at
    what was imported.

    Args:
        package: Name of the package. If it is imported already, nothing changes.
    """
    if package in sys.modules:
        yield
        return
    hidden = [name for name in _hidden if name not in sys.modules]
    collects = gc.isenabled()
    gc.disable()
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: Python raises ImportError
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        if _hidden:
            gc.freeze()
        if collects:
            gc.enable()


@contextlib.contextmanager
def process_settings_kept() -> Iterator[None]:
    """Restore environment variables, warning filters, log levels and handlers of the root logger at the end.

    A library that is imported meanwhile keeps the log level that it set itself.
    """
    environment, handlers = dict(os.environ), list(logging.root.handlers)
    levels = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    with warnings.catch_warnings():
        try:
            yield
        finally:
            _restore_environment(environment)
            logging.root.handlers[:] = handlers
            for name, level in (_IMPORTED_LEVELS | levels).items():
                logging.getLogger(name).setLevel(level)


def _restore_environment(before: dict[str, str]) -> None:
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
