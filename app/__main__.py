"""The command `goodsguard` (`python -m app` in a checkout): its sub-commands are in commands/."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from . import __version__, commands
from .cli import run_steadily

# Each is a file of the room `commands`, and its line in the list.
SUB_COMMANDS = {
    "build": "Build a bank and a threshold per category from good photos.",
    "evaluate": "Measure banks on labelled photos; write figures and a report.",
    "explore": "Show what a data folder holds, before a bank is built from it.",
    "compare": "Measure presets side by side on the same labelled photos.",
    "threshold": "Give a bank another threshold, without building it again.",
    "serve": "Answer photos over HTTP, until SIGTERM or Ctrl-C.",
    "key": "Make an API key; its entry is printed, or added to a file.",
    "sign": "Sign banks, make a key for that, or see who signed what.",
}


class SubCommands(TyperGroup):
    """Loads a sub-command's file when it is called, or listed."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(SUB_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in SUB_COMMANDS:
            return None
        function = import_module(f"{commands.__name__}.{cmd_name}").main
        program = typer.Typer(add_completion=False)
        program.command(cmd_name, short_help=SUB_COMMANDS[cmd_name])(function)
        return typer.main.get_command(program)


program = typer.Typer(
    name="goodsguard", cls=SubCommands, add_completion=False, pretty_exceptions_show_locals=False
)


@program.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Spots damaged goods in photos: memory banks of good items, and the service that judges."""
    if version:
        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        context.get_help()  # prints it, too


def main() -> None:
    """Run the sub-command that the command line names; without one, say which there are."""
    run_steadily(partial(program, prog_name="goodsguard"))


if __name__ == "__main__":
    main()
