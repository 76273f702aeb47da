"""The command line, `lockstock`: a file a group of commands."""

import typer

from lockstock_server.cli import data, offline, read, route, run

app = typer.Typer(
    name="lockstock",
    help="The stock core that never oversells.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
run.register(app)
read.register(app)
route.register(app)
data.register(app)
offline.register(app)


def main() -> None:
    """The entry point of the command `lockstock`."""
    app()
