"""The command that prints the script for completion in a shell: completion."""

from __future__ import annotations

from typing import Literal

from tflite_compress.cli.command_registry import command


@command("Devices and recipes", "bash", shell="bash, zsh or fish.")
def completion(shell: Literal["bash", "zsh", "fish"]) -> int:
    """Print a script that completes commands, options, devices and recipes in a shell.

    bash: add 'eval "$(tflite-compress completion bash)"' to ~/.bashrc.

    zsh: add 'eval "$(tflite-compress completion zsh)"' to ~/.zshrc, below compinit.

    fish: run 'tflite-compress completion fish > ~/.config/fish/completions/tflite-compress.fish'.
    """
    from tflite_compress.cli.completion import SCRIPTS, Names
    from tflite_compress.cli.recipe_settings import setting_names
    from tflite_compress.profiles.toml_files import bundled_names

    settings = sorted(f"--{name.replace('_', '-')}" for name in setting_names() if "." not in name)
    names = Names(tuple(bundled_names("devices")), tuple(bundled_names("recipes")), tuple(settings))
    print(SCRIPTS[shell](names), end="")
    return 0
