"""The command itself: which files, where to, and the report."""

from pathlib import Path
from typing import Annotated

import lockstock
import typer

from lockstock_server.cli.doors import UNSET, Server
from lockstock_server.cli.importing.documents import KINDS, Documents, ToCome
from lockstock_server.cli.importing.findings import Findings
from lockstock_server.cli.importing.opening import Opening
from lockstock_server.cli.importing.progress import Progress
from lockstock_server.cli.output import Exit, Json, connected, fail
from lockstock_server.cli.tables import STOCK, Table, TableError

File = Annotated[Path | None, typer.Option(exists=True, dir_okay=False)]


def import_(
    regions: File = None,
    warehouses: File = None,
    channels: File = None,
    skus: File = None,
    stock: File = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only tell what would be created, changed and refused.")
    ] = False,
    errors: Annotated[
        Path | None,
        typer.Option(
            help="A CSV file for every refused row, and with --preview every conflict.", dir_okay=False
        ),
    ] = None,
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Master data and opening stock from CSV files, one a kind. Running it again changes nothing, and goes on."""
    given = {"regions": regions, "warehouses": warehouses, "channels": channels, "skus": skus}
    if not any([*given.values(), stock]):
        fail("Name at least one file: --regions, --warehouses, --channels, --skus or --stock.", Exit.USAGE)
    files = [(kind, path) for kind in KINDS if (path := given[kind.word]) is not None]
    try:
        # What is wrong with a file's columns is said before anything is sent.
        tables = [(kind, Table(path, kind.layout)) for kind, path in files]
        if stock is not None:
            Table(stock, STOCK).close()
        with connected(server, json=json) as client, Findings(errors, json_wanted=json) as findings:
            to_come = ToCome()
            try:
                with Progress(wanted=not json) as progress:
                    for kind, table in tables:
                        Documents(client, kind, findings, to_come, preview=preview).run(table, progress)
                    if stock is not None:
                        Opening(client, stock, findings, to_come, preview=preview).run(progress)
            except lockstock.LockstockError:
                if findings.counts and not json:
                    findings.print_tables("until it broke off; run it again to go on")
                raise
            if json:
                findings.print_json(preview=preview)
            else:
                findings.print_tables("would be imported" if preview else "imported")
            refused = findings.refusals.count
    except (TableError, OSError) as wrong:
        fail(str(wrong), Exit.USAGE)
    if refused:
        raise typer.Exit(Exit.NOT_SO)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("import")(import_)
