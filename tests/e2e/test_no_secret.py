"""No password leaves in a log, an answer, an error or a table: a server and every command see one, and nobody tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Server, Start
from lockstock.v1 import admin_pb2

PASSWORD = "hush=hush@hush"  # noqa: S105 - of nobody
ESCAPED = "hush%3Dhush%40hush"
AWAY = f"postgresql+psycopg://clerk:{ESCAPED}@127.0.0.1:1/shop"
"""Nobody listens there, so every error of the driver about it is provoked."""
WRONG = (
    f"postgresql://clerk:{PASSWORD}@127.0.0.1:port/shop",
    f"mongodb://clerk:{PASSWORD}@127.0.0.1/shop",
    f"host=127.0.0.1 user=clerk password={PASSWORD}",
    f"postgresql:/clerk:{ESCAPED}@127.0.0.1/shop?sslpassword={ESCAPED}",
)
ON_AWAY = (("config", "show"), ("verify",), ("verify", "--json"), ("rebuild", "--drop-only"))
ON_WRONG = (
    *((("verify",), url) for url in WRONG),
    *((command, WRONG[0]) for command in (("config", "show", "--json"), ("rebuild",), ("serve",))),
)


def told(*arguments: str, data_dir: Path, url: str) -> str:
    """Everything that a command says about a database's URL."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTOCK_")}
    given = {"LOCKSTOCK_DATA_DIR": str(data_dir), "LOCKSTOCK_DATABASE_URL": url, "COLUMNS": "400"}
    ran = subprocess.run(
        [sys.executable, "-m", "lockstock_server.cli", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**clean, **given},
    )
    return ran.stdout + ran.stderr


def keeps(text: str) -> None:
    assert text.strip(), "nothing was said, so nothing was shown"
    assert "hush" not in text, text


def until_away(server: Server) -> admin_pb2.GetServerInfoResponse:
    """What the server says of itself once it has met its database."""
    with server.client() as client:
        for _ in range(1_000):
            info = client.admin.GetServerInfo(admin_pb2.GetServerInfoRequest())
            if info.projection.last_error:
                return info
    raise AssertionError("the database is not known to be away")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a journal in it."""
    server = Server(tmp_path_factory.mktemp("shop") / "data")
    server.start()
    assert server.stop() == 0
    return server.data_dir


def test_a_server_whose_database_is_away_says_so_without_the_password(start: Start) -> None:
    server = start(DATABASE_URL=AWAY, LOG_LEVEL="debug", SHUTDOWN_DEADLINE="5")
    info = until_away(server)
    metrics = server.get("/metrics")[1]
    server.stop()
    keeps("".join(server.lines))
    keeps(str(info))
    keeps(metrics)
    assert any(event["event"] == "database_away" for event in server.events())


@pytest.mark.parametrize("command", ON_AWAY, ids=" ".join)
def test_a_command_on_a_database_that_is_away_does_not_show_the_password(
    command: tuple[str, ...], data_dir: Path
) -> None:
    keeps(told(*command, data_dir=data_dir, url=AWAY))


@pytest.mark.parametrize(("command", "url"), ON_WRONG)
def test_a_url_that_makes_no_sense_is_refused_without_its_password(
    command: tuple[str, ...], url: str, data_dir: Path
) -> None:
    keeps(told(*command, data_dir=data_dir, url=url))


def test_the_settings_show_the_rest_of_the_url(data_dir: Path) -> None:
    shown = json.loads(told("config", "show", "--json", data_dir=data_dir, url=AWAY))
    assert shown["database_url"] == "postgresql+psycopg://clerk:***@127.0.0.1:1/shop"
