"""Replaying a shop: `replay`."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.progress import Progress as Bar

from lockstock_server.cli import tables
from lockstock_server.cli.doors import UNSET, FastLane, Server
from lockstock_server.cli.offline import verify_directory
from lockstock_server.cli.output import (
    Exit,
    Json,
    connected,
    console,
    errors,
    fail,
    show_json,
    show_table,
)
from lockstock_server.flash_sale.server_process import ServerProcess
from lockstock_server.replay import shop
from lockstock_server.replay.drive import Drive
from lockstock_server.replay.read import UnreadableError, read
from lockstock_server.replay.report import Report
from lockstock_server.replay.rows import LAYOUTS, Row
from lockstock_server.replay.ways import ByBatch, ByOrders, ReplayError

SMALLEST_REFUSED_SHARE = 0.01
OPENING_PERCENT = 120
OPENING = tables.Layout(lambda row: (row["sku"], tables.whole(row, "quantity")), ("sku", "quantity"))

File = Annotated[Path | None, typer.Option(exists=True, dir_okay=False)]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be replayed, and by which way."""

    rows: list[Row]
    stocked: dict[str, int]
    report: Report
    orders: bool
    json: bool


def _opening(path: Path) -> dict[str, int]:
    """Opening stock by SKU from a CSV file with the columns sku, quantity."""
    opening: dict[str, int] = {}
    for _, (sku, units) in tables.read(path, OPENING):
        opening[sku] = opening.get(sku, 0) + units
    return opening


def replay(
    file: Annotated[
        Path, typer.Argument(help="The shop's order lines, CSV or Parquet.", exists=True, dir_okay=False)
    ],
    layout: Annotated[
        str, typer.Option(help=f"Which columns are which: {', '.join(LAYOUTS)}.")
    ] = "uci-online-retail",
    invoice: Annotated[
        str | None, typer.Option(help="The column of the invoice, if not the layout's.")
    ] = None,
    sku: Annotated[str | None, typer.Option(help="The column of the SKU.")] = None,
    quantity: Annotated[str | None, typer.Option(help="The column of the quantity.")] = None,
    price: Annotated[str | None, typer.Option(help="The column of the price.")] = None,
    customer: Annotated[str | None, typer.Option(help="The column of the customer.")] = None,
    country: Annotated[str | None, typer.Option(help="The column of the country.")] = None,
    opening: File = None,
    opening_percent: Annotated[
        int, typer.Option(help="Opening stock of each SKU, in percent of all the file sells of it.", min=0)
    ] = OPENING_PERCENT,
    orders: Annotated[
        bool,
        typer.Option(
            "--orders",
            help="As orders, call by call (place, pay, push, ship), instead of commands in batches.",
        ),
    ] = False,
    own_server: Annotated[
        bool,
        typer.Option(
            help="Start a server for this replay in a directory of its own, and verify it afterwards."
        ),
    ] = False,
    server: Server = UNSET,
    fast_lane: FastLane = UNSET,
    json: Json = False,
) -> None:
    """A shop's order lines through a running server, with a report that balances to the unit."""
    if layout not in LAYOUTS:
        fail(f"There is no layout {layout}; there are {', '.join(LAYOUTS)}.", Exit.USAGE)
    columns = {
        "invoice": invoice,
        "sku": sku,
        "quantity": quantity,
        "price": price,
        "customer": customer,
        "country": country,
    }
    chosen = LAYOUTS[layout].with_columns({name: column for name, column in columns.items() if column})
    report = Report()
    try:
        rows = list(read(file, chosen))
        stocked = _opening(opening) if opening is not None else shop.opening_by_percent(rows, opening_percent)
    except (UnreadableError, tables.TableError) as wrong:
        fail(str(wrong), Exit.USAGE)
    job = Job(rows, stocked, report, orders, json)
    try:
        if own_server:
            _on_own_server(job)
        else:
            _on_server(server, fast_lane, job)
    except ReplayError as impossible:
        fail(str(impossible), Exit.NOT_SO)
    balanced = report.check()
    if opening is None and report.refused_share < SMALLEST_REFUSED_SHARE:
        report.mismatches.append(
            "fewer than 1 % of the sale lines were refused: choose a smaller --opening-percent"
        )
        balanced = False
    if json:
        show_json(report.as_json())
    else:
        _show(report)
    if not balanced:
        raise typer.Exit(Exit.NOT_SO)


def _on_server(server: str, fast_lane: str, job: Job) -> None:
    with (
        connected(server, json=job.json) as front,
        connected(fast_lane, json=job.json) as lane,
        Bar(console=errors, transient=True) as bar,
    ):
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done)

        with ByOrders(front, lane) if job.orders else ByBatch(lane) as way:
            Drive(front, lane, way, job.report, progress).run(job.rows, job.stocked)


def _on_own_server(job: Job) -> None:
    with TemporaryDirectory(prefix="lockstock-replay-") as directory:
        process = ServerProcess(Path(directory))
        try:
            process.start()
            _on_server(process.address, process.fast_lane, job)
        finally:
            process.stop()
        verified = verify_directory(process.data_dir, process.database_url)
        job.report.mismatches += [f"lockstock verify: {fault}" for fault in verified.faults]
        if verified.on_hand != job.report.on_hand:
            job.report.mismatches.append(f"lockstock verify finds {verified.on_hand:,} on hand")


def _show(report: Report) -> None:
    show_table(
        f"{report.rows:,} rows in {report.seconds:.1f} s",
        [
            {
                "kind": kind.value,
                "rows": f"{tally.rows:,}",
                "units": f"{tally.units:,}",
                "done rows": f"{tally.done_rows:,}",
                "done units": f"{tally.done_units:,}",
                "refused rows": f"{tally.refused_rows:,}",
                "refused units": f"{tally.refused_units:,}",
            }
            for kind, tally in report.kinds.items()
            if tally.rows
        ],
    )
    figures: dict[str, str] = {
        "orders": f"{report.orders:,}, {report.orders_refused:,} refused",
        "sale lines refused": f"{report.refused_share:.1%}",
        "RETURN_WITHOUT_SALE": (
            f"{report.return_without_sale_rows:,} rows, {report.return_without_sale_units:,} units"
        ),
        "opening": f"{report.opening:,}",
        "+ increased": f"{report.increased:,}",
        "+ returned": f"{report.returned:,}",
        "- sold": f"{report.sold:,}",
        "- decreased": f"{report.decreased:,}",
        "= expected on hand": f"{report.expected_on_hand:,}",
        "on hand (server)": f"{report.on_hand:,}",
    }
    show_table("the balance", [{"figure": name, "units": value} for name, value in figures.items()])
    for reason, count in report.reasons.most_common():
        console.print(f"refused with {reason}: {count:,}")
    for number, kind in report.nonsense:
        console.print(f"row {number} makes no sense: {kind}")
    for mismatch in report.mismatches:
        errors.print(f"NOT BALANCED: {mismatch}", style="bold red", markup=False)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("replay")(replay)
