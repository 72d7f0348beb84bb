"""Pages that mkdocs generates when it builds the site: the command line and the Python API."""

from __future__ import annotations

import contextlib
import inspect
import io
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import tflite_compress
from tflite_compress.cli.command_registry import all_commands
from tflite_compress.cli.main import main


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the site."""
    for name, content in pages().items():
        files.append(File.generated(config, name, content=content))
    return files


def pages() -> dict[str, str]:
    """Return the generated pages by file name."""
    return {"cli.md": command_line(), "api.md": python_api()}


def command_line() -> str:
    """Return the help of every command."""
    overview = help_of()
    lines = ["# Command line", "", "```text", overview.rstrip(), "```"]
    for command in all_commands():
        lines += ["", f"## {command}", "", "```text", help_of(command).rstrip(), "```"]
    return "\n".join(lines) + "\n"


def help_of(*words: str) -> str:
    """Return what ``--help`` prints."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        main([*words, "--help"])
    return stream.getvalue()


def python_api() -> str:
    """Return a page with an entry for mkdocstrings per public function and class."""
    public = {name: getattr(tflite_compress, name) for name in sorted(tflite_compress.__all__)}
    functions = [value for value in public.values() if inspect.isfunction(value)]
    classes = [value for value in public.values() if inspect.isclass(value)]
    errors = [value for value in classes if issubclass(value, Exception)]
    results = [value for value in classes if value not in errors]
    lines = ["# Python API", "", "```python", "import tflite_compress as tc", "```"]
    sections: dict[str, list[Any]] = {"Functions": functions, "Classes": results, "Errors": errors}
    for title, values in sections.items():
        if values:
            lines += ["", f"## {title}", *(entry(value) for value in values)]
    return "\n".join(lines) + "\n"


def entry(value: Any) -> str:
    """Return the directive that documents a public object."""
    return f"\n::: {value.__module__}.{value.__qualname__}\n    options:\n      show_root_full_path: false"
