"""Running: `serve`, `flash-sale`, `config show`."""

import asyncio
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from lockstock_server import compose, logs
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
from lockstock_server.errors import StartError
from lockstock_server.flash_sale import display
from lockstock_server.flash_sale.sale import Plan, SaleError, hold
from lockstock_server.flash_sale.server_process import ServerProcessError


def first_call(running: compose.Running) -> None:
    """Tells where the doors are, and a call to try."""
    errors.print(f"every service  {running.address}", markup=False)
    errors.print(f"fast lane      {running.fast_lane_address or 'not served'}", markup=False)
    errors.print(f"metrics        {running.metrics_address or 'not served'}", markup=False)
    errors.print("A first call:", markup=False)
    call = f"grpcurl -plaintext {running.address} lockstock.v1.AdminService/GetServerInfo"
    errors.print(f"  {call}", markup=False, soft_wrap=True)


def serve() -> None:
    """Serve, until SIGTERM or SIGINT. Settings come from the environment; see `lockstock config show`."""
    settings = settings_in_force()
    logs.configure(settings.log_level, settings.log_format)
    try:
        code = int(asyncio.run(compose.serve(settings, on_ready=first_call)))
    except StartError as impossible:
        errors.print(str(impossible), style="red", markup=False)
        code = impossible.code
    sys.exit(code)


def flash_sale(
    buyers: Annotated[int, typer.Option(help="How many buyers come at once.", min=1)] = 100_000,
    units: Annotated[int, typer.Option(help="How many units there are.", min=1)] = 10_000,
    workers: Annotated[int, typer.Option(help="Processes that play buyers.", min=1, max=64)] = 2,
    connections: Annotated[int, typer.Option(help="Connections, over all workers.", min=1)] = 64,
    seed: Annotated[int, typer.Option(help="The same seed, the same crowd.")] = 1,
    kill: Annotated[bool, typer.Option(help="Kill the server with kill -9 in the middle.")] = True,
    json: Json = False,
) -> None:
    """Sell UNITS of one SKU to BUYERS who come at once, kill the server meanwhile, and judge the outcome."""
    plan = Plan(buyers=buyers, units=units, workers=workers, connections=connections, seed=seed, kill=kill)
    try:
        if json:
            result = hold(plan)
        else:
            with display.Display(console) as watch:
                result = hold(plan, watch)
    except (SaleError, ServerProcessError) as impossible:
        fail(str(impossible), Exit.NOT_SO)
    if json:
        show_json(asdict(result))
    else:
        console.print(display.verdict(result))
        for fault in result.verdict.faults:
            errors.print(f"NOT SO: {fault}", style="bold red", markup=False)
    if result.verdict.faults:
        raise typer.Exit(Exit.NOT_SO)


def config_show(json: Json = False) -> None:
    """The settings in force, with their variables."""
    settings = settings_in_force()
    if json:
        show_json(settings.shown())
        return
    show_table(
        "settings",
        [
            {"variable": f"LOCKSTOCK_{name.upper()}", "value": value}
            for name, value in settings.shown().items()
        ],
    )


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("serve")(serve)
    app.command("flash-sale")(flash_sale)
    config = typer.Typer(help="The settings.", no_args_is_help=True)
    config.callback()(lambda: None)
    config.command("show")(config_show)
    app.add_typer(config, name="config")
