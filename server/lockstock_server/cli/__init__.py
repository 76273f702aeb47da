"""The command line, `lockstock`: a file a group of commands.

A command is imported when it is called, not before: reading an order must not wait for the database's and the
engine's libraries.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "serve": "run",
    "stock": "read",
    "reservation": "read",
    "order": "order",
    "route": "route",
    "plan": "route",
    "warehouse": "catalog",
    "region": "catalog",
    "import": "importing",
    "replay": "replaying",
    "flash-sale": "run",
    "admin": "administering",
    "verify": "offline",
    "rebuild": "offline",
    "journal": "offline",
    "config": "run",
}
"""Each command and the module that registers it, in the order of the help."""


class OnDemand(TyperGroup):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base's signature
        """All commands, in order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name; None where there is none."""
        module = COMMANDS.get(cmd_name)
        return None if module is None else registered(module).get_command(ctx, cmd_name)


def registered(module: str) -> Any:
    """The commands that a module registers, as a group."""
    group = typer.Typer()
    # With one command and no callback it would be no group.
    group.callback()(lambda: None)
    import_module(f"lockstock_server.cli.{module}").register(group)
    return typer.main.get_command(group)


app = typer.Typer(
    name="lockstock",
    help="The stock core that never oversells.",
    cls=OnDemand,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.callback()(lambda: None)


def main() -> None:
    """The entry point of the command `lockstock`."""
    app()
