"""The command `goodsguard` (`python -m app` in a checkout): its sub-commands are in commands/."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from . import __version__, commands
from .cli import replace_what_cannot_be_printed

# As they follow each other in use; what is not named here comes after them.
ORDER = ("build", "evaluate", "explore", "compare", "threshold", "serve", "key", "sign")


def names() -> list[str]:
    """The sub-commands there are: the files of the room `commands`."""
    found = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
    return sorted(found, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


class SubCommands(TyperGroup):
    """Loads a sub-command's file when it is called, or its line of help is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in names():
            return None
        program = typer.Typer(add_completion=False)
        program.command(cmd_name)(import_module(f".{cmd_name}", commands.__name__).main)
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
    replace_what_cannot_be_printed()
    program(prog_name="goodsguard")


if __name__ == "__main__":
    main()
