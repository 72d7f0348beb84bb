"""What to say about an option that a command does not have."""

from __future__ import annotations

from tflite_compress.cli.command_registry import Command, all_commands
from tflite_compress.support.errors import UsageError, closest, similar


def unknown_option(command: Command, typed: str) -> UsageError:
    """Return the error for an option that is not known.

    Suggestions come from the options of the command and the settings of recipes. If none is like it, the
    options of the other commands are searched.

    Args:
        command: The command.
        typed: The option as it was typed, without its value.
    """
    help_of = f"'tflite-compress {command.name} --help' lists the options."
    name = typed.lstrip("-").replace("-", "_")
    if name in command.positional or (command.variadic is not None and name == command.variadic[0]):
        return UsageError(
            f"unknown option '{typed}'. {name.upper()} is given without a name",
            f"For example: {command.example}",
        )
    elsewhere = [other.name for other in all_commands().values() if name in other.options]
    own = [option.flag for option in command.options.values()]
    if elsewhere:
        says = f" It is an option of {_listed(elsewhere)}"
    else:
        known = [*own, *(_settings() if command.takes_settings and name else ())]
        says = closest(typed, known) or _elsewhere(typed, name)
    return UsageError(f"unknown option '{typed}'{'.' if says else ''}{says}", help_of)


def _elsewhere(typed: str, name: str) -> str:
    """The commands that take an unknown name as a setting, or an option like it; empty if none does."""
    if typed in _settings():
        return f" It is an option of {_commands_with(name)}"
    near = similar(typed, _all_options()) if name else []
    if not near:
        return ""
    return f" Did you mean '{near[0]}' of {_commands_with(near[0][2:].replace('-', '_'))}?"


def _commands_with(name: str) -> str:
    """The commands that have an option of that name; those that take settings if none has it."""
    commands = all_commands().values()
    found = [c.name for c in commands if name in c.options]
    return _listed(found or [c.name for c in commands if c.takes_settings])


def _listed(names: list[str]) -> str:
    return " and ".join(", ".join(names).rsplit(", ", 1))


def _all_options() -> list[str]:
    flags = (option.flag for command in all_commands().values() for option in command.options.values())
    return [*dict.fromkeys(flags), *_settings()]


def _settings() -> list[str]:
    from tflite_compress.cli.recipe_settings import setting_names

    return sorted(f"--{name.replace('_', '-')}" for name in setting_names())
