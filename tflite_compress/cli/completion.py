"""Scripts that complete commands, options and values in bash, zsh and fish."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tflite_compress.cli.command_registry import Command, Option, all_commands
from tflite_compress.cli.option_types import FLAG, Kind

PROGRAM = "tflite-compress"


@dataclass(frozen=True)
class Names:
    """Words that values are completed with, by what :attr:`Kind.completes` says."""

    devices: tuple[str, ...]
    recipes: tuple[str, ...]
    settings: tuple[str, ...]

    def of(self, kind: Kind) -> tuple[str, ...]:
        """Return the words that a value of a kind can be; none for files, folders and free text."""
        return {"devices": self.devices, "recipes": self.recipes}.get(kind.completes, kind.choices)


def bash_script(names: Names) -> str:
    """Return the script for bash."""
    cases = []
    for command in all_commands().values():
        offered = " ".join(_offered(command, names))
        values = [line for option in _with_values(command) for line in _bash_value(option, names)]
        kind = _first_place(command)
        placed = f'words="{" ".join(names.of(kind))}"' if kind and names.of(kind) else "files=1"
        cases += [
            f"    {command.name})",
            f'        options="{offered}"; {placed}',
            '        case "$option" in',
            *values,
            "        esac ;;",
        ]
    return _BASH.replace("@COMMANDS@", " ".join(all_commands())).replace("@CASES@", "\n".join(cases))


def zsh_script(names: Names) -> str:
    """Return the script for zsh."""
    commands = [f"        {shlex.quote(f'{c.name}:{c.summary}')}" for c in all_commands().values()]
    cases = []
    for command in all_commands().values():
        specs = [shlex.quote(spec) for option in command.options.values() for spec in _zsh(option, names)]
        specs += [shlex.quote(f"{flag}=[setting of the recipe]:value:") for flag in _settings(command, names)]
        kind = _first_place(command)
        words = names.of(kind) if kind else ()
        specs.append(shlex.quote(f"*:value:({' '.join(words)})" if words else "*:file:_files"))
        cases.append(f"    {command.name}) _arguments {' '.join(specs)} ;;")
    return _ZSH.replace("@COMMANDS@", "\n".join(commands)).replace("@CASES@", "\n".join(cases))


def fish_script(names: Names) -> str:
    """Return the script for fish."""
    lines = [f"# fish completion for {PROGRAM}", f"complete -c {PROGRAM} -n __fish_use_subcommand -f"]
    for command in all_commands().values():
        summary = shlex.quote(command.summary)
        lines.append(f"complete -c {PROGRAM} -n __fish_use_subcommand -a {command.name} -d {summary}")
        seen = f"complete -c {PROGRAM} -n '__fish_seen_subcommand_from {command.name}'"
        kind = _first_place(command)
        if kind and names.of(kind):
            lines.append(f"{seen} -f -a {shlex.quote(' '.join(names.of(kind)))}")
        for option in command.options.values():
            lines.append(f"{seen} {' '.join(_fish(option, names))} -d {shlex.quote(option.help)}")
        lines += [
            f"{seen} -x -l {flag[2:]} -d 'Setting of the recipe.'" for flag in _settings(command, names)
        ]
    return "\n".join(lines) + "\n"


SCRIPTS: dict[str, Callable[[Names], str]] = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}


def _written(option: Option) -> str:
    """An option as it is offered: ``--device=``, ``--json``, ``--no-bundle``."""
    if option.kind is not FLAG:
        return f"{option.flag}="
    return option.flag if option.default is False else f"--no-{option.flag[2:]}"


def _offered(command: Command, names: Names) -> Iterator[str]:
    for option in command.options.values():
        yield _written(option)
        if option.short:
            yield option.short
    yield from (f"{flag}=" for flag in _settings(command, names))
    yield "--help"


def _settings(command: Command, names: Names) -> tuple[str, ...]:
    return names.settings if command.takes_settings else ()


def _with_values(command: Command) -> list[Option]:
    return [option for option in command.options.values() if option.kind is not FLAG]


def _first_place(command: Command) -> Kind | None:
    """The type of the first positional argument; None if there is none."""
    return next(iter(command.positional.values()), None)


def _bash_value(option: Option, names: Names) -> Iterator[str]:
    words, kind = names.of(option.kind), option.kind
    does = f'words="{" ".join(words)}"; files=' if words else "words=; files=1"
    if kind.completes == "nothing" and not words:
        does = "words=; files="
    several = "; several=1" if kind.is_list else ""
    pattern = f"{option.flag}|{option.short}" if option.short else option.flag
    yield f"        {pattern}) options=; {does}{several} ;;"


def _zsh(option: Option, names: Names) -> Iterator[str]:
    text = option.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
    if option.kind is FLAG:
        yield from (f"{form}[{text}]" for form in (_written(option), option.short) if form)
        return
    words = " ".join(names.of(option.kind))
    action = f"_values -s , value {words}" if words and option.kind.is_list else f"({words})" if words else ""
    action = action or ("" if option.kind.completes == "nothing" else "_files")
    yield f"{option.flag}=[{text}]:value:{action}"
    if option.short:
        yield f"{option.short}[{text}]:value:{action}"


def _fish(option: Option, names: Names) -> list[str]:
    words = " ".join(names.of(option.kind))
    parts = ["-l", _written(option)[2:].rstrip("=")]
    if option.short:
        parts += ["-s", option.short[1:]]
    if option.kind is FLAG:
        return parts
    if words:
        shown = f"(__fish_append , {words})" if option.kind.is_list else words
        return [*parts, "-x", "-a", shlex.quote(shown)]
    return [*parts, "-x"] if option.kind.completes == "nothing" else [*parts, "-r", "-F"]


_BASH = """\
# bash completion for tflite-compress
_tflite_compress() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local option= options= words= files= several= done=
    COMPREPLY=()
    if [[ $current == "=" ]]; then option=$before; current=
    elif [[ $before == "=" ]]; then option=${COMP_WORDS[COMP_CWORD-2]}
    elif [[ $before == -* ]]; then option=$before
    fi
    if (( COMP_CWORD == 1 )); then
        COMPREPLY=($(compgen -W "@COMMANDS@ --help --version" -- "$current"))
        return
    fi
    case "${COMP_WORDS[1]}" in
@CASES@
    esac
    if [[ $current == -* && -n $options ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$current"))
        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
        return
    fi
    if [[ -n $several && $current == *,* ]]; then done=${current%,*},; current=${current##*,}; fi
    if [[ -n $words ]]; then COMPREPLY=($(compgen -P "$done" -W "$words" -- "$current"))
    elif [[ -n $files ]]; then
        compopt -o filenames 2>/dev/null
        local IFS=$'\\n'
        COMPREPLY=($(compgen -f -- "$current"))
    fi
}
complete -F _tflite_compress tflite-compress
"""
_ZSH = """\
#compdef tflite-compress
_tflite_compress() {
    local -a commands
    commands=(
@COMMANDS@
    )
    if (( CURRENT == 2 )); then _describe command commands; return; fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
@CASES@
    esac
}
compdef _tflite_compress tflite-compress
"""
