"""The command line, `lockstock`: a file a group of commands."""

import typer

from lockstock_server.cli import catalog, importing, offline, order, read, replaying, route, run

app = typer.Typer(
    name="lockstock",
    help="The stock core that never oversells.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
run.register(app)
read.register(app)
order.register(app)
route.register(app)
importing.register(app)
catalog.register(app)
replaying.register(app)
offline.register(app)


def main() -> None:
    """The entry point of the command `lockstock`."""
    app()
