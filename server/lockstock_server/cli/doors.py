"""Which server is asked where none is named: the one that `lockstock serve` would be, by the same settings."""

import os
from importlib import import_module
from typing import Annotated, Any

import typer

UNSET = ""
"""What stands in a command's signature: the settings are asked only when the command is called."""
DEFAULTS = {"address": "127.0.0.1:50051", "fast_lane_address": "127.0.0.1:50052"}
"""Those of the settings; a test holds the two together."""
TOLD_BY = ("LOCKSTOCK_CONFIG", *(f"LOCKSTOCK_{name.upper()}" for name in DEFAULTS))
LOOPBACKS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}  # noqa: S104 - listened on, never asked


def server_address(given: str = UNSET) -> str:
    """The Python door: what was given, else what the settings say."""
    return given or _asked(_addresses()["address"])


def fast_lane_address(given: str = UNSET) -> str:
    """The fast lane, or the Python door, which serves the same methods, where there is none."""
    if given:
        return given
    addresses = _addresses()
    return _asked(addresses["fast_lane_address"] or addresses["address"])


def _addresses() -> dict[str, str]:
    # Reading an order must not wait for the library that the settings are read with, where nothing is set.
    if not any(name.upper() in TOLD_BY for name in os.environ):
        return DEFAULTS
    settings: Any = import_module("lockstock_server.cli.in_force").settings_in_force()
    return {name: str(getattr(settings, name)) for name in DEFAULTS}


def _asked(listens: str) -> str:
    host, _, port = listens.rpartition(":")
    return f"{LOOPBACKS.get(host, host)}:{port}"


Server = Annotated[
    str,
    typer.Option(
        help="The server's Python door, host:port.",
        callback=server_address,
        show_default="LOCKSTOCK_ADDRESS, as serve reads it",
    ),
]
FastLane = Annotated[
    str,
    typer.Option(
        help="The server's fast lane, host:port.",
        callback=fast_lane_address,
        show_default="LOCKSTOCK_FAST_LANE_ADDRESS, as serve reads it",
    ),
]
