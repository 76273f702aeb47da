"""What is done while no server runs: `verify`, `rebuild`, `journal dump`."""

import json as jsons
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from lockstock_server import _core, compose
from lockstock_server.cli import progress
from lockstock_server.cli.alone import unwritten
from lockstock_server.cli.in_force import settings_in_force
from lockstock_server.cli.output import (
    Exit,
    Json,
    console,
    errors,
    fail,
    show_json,
    show_table,
)
from lockstock_server.progress import Watch, unwatched
from lockstock_server.projection import DatabaseAwayError, ProjectionError, compare, rebuild
from lockstock_server.settings import Settings

ON_HAND = ("available", "locked", "allocated", "picking", "defective")


@dataclass(slots=True)
class Verified:
    """What a verification found. `faults` is empty exactly when everything agrees."""

    summary: dict[str, Any]
    faults: list[str] = field(default_factory=list)
    database_sequence: int | None = None

    @property
    def on_hand(self) -> int:
        """Units on hand over all SKUs and warehouses."""
        return sum(self.summary["totals"][name] for name in ON_HAND)


def verify_directory(data_dir: Path, database_url: str | None, watch: Watch = unwatched) -> Verified:
    """Replays the journal with every invariant checked, and compares the snapshots and the database with it.

    Without a URL no database is compared.
    """
    try:
        replayed = _core.Offline.open(str(data_dir), progress=watch("replaying the journal"))
    except _core.CoreError as damaged:
        return Verified(summary={"totals": dict.fromkeys(ON_HAND, 0)}, faults=[str(damaged)])
    verified = Verified(summary=jsons.loads(replayed.summary()))
    for snapshot in verified.summary["snapshots"]:
        if snapshot["problem"]:
            verified.faults.append(f"snapshot {snapshot['sequence']} cannot be read: {snapshot['problem']}")
        elif snapshot["equal"] is False:
            verified.faults.append(f"snapshot {snapshot['sequence']} does not equal the replay")
    if database_url is not None:
        compared = compare.compare(database_url, data_dir, watch)
        verified.database_sequence = compared.sequence
        verified.faults += compared.differences
    return verified


def _settings(data_dir: Path | None, database_url: str | None) -> Settings:
    given = {"data_dir": data_dir, "database_url": database_url}
    return settings_in_force(**{name: value for name, value in given.items() if value is not None})


def _journal_stands_in(data_dir: Path) -> None:
    if not (data_dir / "journal").is_dir():
        fail(f"There is no journal in {data_dir}.", Exit.USAGE)


def verify(
    data_dir: Annotated[Path | None, typer.Option(help="The data directory; else the setting.")] = None,
    database_url: Annotated[str | None, typer.Option(help="The database; else the setting.")] = None,
    json: Json = False,
) -> None:
    """Journal, snapshots, database and every invariant, offline. Exit code 1 if anything is not so."""
    settings = _settings(data_dir, database_url)
    _journal_stands_in(settings.data_dir)
    try:
        with unwritten(settings.data_dir), progress.shown(quiet=json) as watch:
            verified = verify_directory(settings.data_dir, settings.database, watch)
    except ProjectionError as error:
        fail(str(error), Exit.USAGE)
    if json:
        show_json({**asdict(verified), "on_hand": verified.on_hand})
    else:
        summary = verified.summary
        facts = {name: summary[name] for name in summary if name not in {"totals", "snapshots"}}
        facts["on_hand"] = f"{verified.on_hand:,}"
        facts["snapshots"] = len(summary.get("snapshots", []))
        facts["database_sequence"] = verified.database_sequence
        show_table("verified", [{"what": name, "found": value} for name, value in facts.items()])
        for fault in verified.faults:
            errors.print(f"FAULT: {fault}", style="bold red", markup=False)
        if not verified.faults:
            console.print("Everything agrees.", style="green")
    if verified.faults:
        raise typer.Exit(Exit.NOT_SO)


def rebuild_(
    data_dir: Annotated[Path | None, typer.Option(help="The data directory; else the setting.")] = None,
    database_url: Annotated[str | None, typer.Option(help="The database; else the setting.")] = None,
    drop_only: Annotated[
        bool, typer.Option("--drop-only", help="Only drop: a running server, or the next start, builds.")
    ] = False,
    json: Json = False,
) -> None:
    """Drops Lockstock's tables of the database and builds them again from the journal."""
    settings = _settings(data_dir, database_url)
    try:
        built = None if drop_only else _rebuilt(settings, quiet=json)
        if drop_only:
            rebuild.drop(settings.database)
    except (DatabaseAwayError, ProjectionError) as error:
        fail(str(error), Exit.NOT_SO)
    if json:
        show_json({"dropped": True, "database_sequence": built})
    elif built is None:
        console.print("Dropped. A running server builds it again, else the next start does.")
    else:
        console.print(f"Built again, up to sequence {built:,}.")


def _rebuilt(settings: Settings, *, quiet: bool) -> int:
    """Drops and builds with the data directory to ourselves; the sequence the database stands at."""
    _journal_stands_in(settings.data_dir)
    try:
        engine = _core.Engine.open(compose.engine_settings(settings, 0))
    except _core.CoreError as error:
        fail(f"{error} (--drop-only lets a running server build it again.)", Exit.NOT_SO)
    try:
        rebuild.drop(settings.database)
        with progress.shown(quiet=quiet) as watch:
            return rebuild.build(engine, settings.database, watch)
    finally:
        engine.close()


def dump(
    first: Annotated[int, typer.Option(help="The first sequence.", min=1)] = 1,
    limit: Annotated[int, typer.Option(help="At most so many events.", min=1)] = 100,
    data_dir: Annotated[Path | None, typer.Option(help="The data directory; else the setting.")] = None,
    json: Json = False,
) -> None:
    """Events of the journal as JSON, one a line (--json: one array), with names for numbers."""
    directory = _settings(data_dir, None).data_dir
    _journal_stands_in(directory)
    try:
        with unwritten(directory):
            events = _core.Offline.dump(str(directory), first, limit)
    except _core.CoreError as damaged:
        fail(str(damaged), Exit.NOT_SO)
    if json:
        show_json([jsons.loads(event) for event in events])
        return
    for event in events:
        typer.echo(event)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("verify")(verify)
    app.command("rebuild")(rebuild_)
    journal = typer.Typer(help="The journal.", no_args_is_help=True)
    journal.callback()(lambda: None)
    journal.command("dump")(dump)
    app.add_typer(journal, name="journal")
