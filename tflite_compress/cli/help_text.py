"""What ``--help`` prints."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

HELP = """\
tflite-compress: a Keras model goes in, the smallest .tflite that keeps its accuracy comes out.

usage:
  tflite-compress compress MODEL --device=NAME[,NAME...] [--recipe=NAME|FILE] [--data=SOURCE] [...]
  tflite-compress repeat MANIFEST [--out=DIR]     run again what a manifest.json records
  tflite-compress diagnose MODEL --device=NAME --data=SOURCE   why int8 loses accuracy, layer by layer
  tflite-compress search MODEL --device=NAME --data=SOURCE [--minimize=size,latency] [--budget=30m]
  tflite-compress check MODEL.tflite --device=NAME|all   does it fit: operators, flash, RAM, latency
  tflite-compress verify MODEL.tflite [--runtime=...] [--emulate]   do the runtimes compute the same
  tflite-compress bundle MODEL.tflite --device=NAME      C++, Kotlin or Python to put it on the device
  tflite-compress benchmark A.tflite [B.tflite ...]      time them in turns; which is faster, how sure
  tflite-compress profile MODEL.tflite            its time operator by operator, and what limits it
  tflite-compress inspect MODEL.tflite [--diff=OTHER] [--graph=FILE.svg]   what is in it, where the bytes go
  tflite-compress report DIR [DIR ...] [--compare] [--html=FILE]   results as Markdown or as one page
  tflite-compress runs [NUMBER ...] [--model --device]   recorded runs, or some side by side
  tflite-compress setup-emulator                  fetch the emulated Raspberry Pi for verify --emulate
  tflite-compress devices [NAME] [--toml]         device profiles
  tflite-compress recipes [NAME] [--toml]         recipes and their settings
  tflite-compress --version

'tflite-compress COMMAND --help' explains a command. --debug shows tracebacks.
exit codes: 0 done, 1 accuracy lost, result differs or does not fit, 2 a mistake to correct, 130 interrupted.
"""


def command_help(name: str, command: Any) -> str:
    """Help of one command, drawn from its signature and docstring.

    Args:
        name: The command.
        command: Its function, whose docstring has an ``Args:`` section with one line each.
    """
    summary, _, arguments = (inspect.getdoc(command) or "").partition("\nArgs:\n")
    parameters = inspect.signature(command).parameters
    lines = [f"tflite-compress {name}: {summary.strip()}", ""]
    for entry in textwrap.dedent(arguments).strip().splitlines():
        key, _, text = entry.partition(": ")
        parameter = parameters[key]
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        positional = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        shown = key.upper() if positional else "--" + key.replace("_", "-")
        if not positional and parameter.default is not False:
            shown += "=" + (
                "VALUE" if parameter.default in (None, parameter.empty) else str(parameter.default)
            )
        lines.append(f"  {shown:<22} {text}")
    return "\n".join(lines)
