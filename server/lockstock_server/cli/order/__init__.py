"""Orders on the command line: `lockstock order ...`."""

import typer

from lockstock_server.cli.order import steps, views


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(help="Orders: place, pay, change, ship, take back, show.", no_args_is_help=True)
    steps.register(group)
    views.register(group)
    app.add_typer(group, name="order")
