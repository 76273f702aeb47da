"""A command asks the server that `serve` would be here, unless it is told another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lockstock_server.cli import app, doors
from lockstock_server.cli.output import Exit
from lockstock_server.settings import Settings
from typer.testing import CliRunner


@pytest.fixture(autouse=True)
def no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOCKSTOCK_")]:
        monkeypatch.delenv(name)


def asked() -> tuple[str, str]:
    return doors.server_address(), doors.fast_lane_address()


def test_without_settings_the_defaults_of_the_settings_are_asked() -> None:
    assert {name: Settings.model_fields[name].default for name in doors.DEFAULTS} == doors.DEFAULTS
    assert asked() == tuple(doors.DEFAULTS.values())


def test_the_environment_and_the_file_say_who_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "lockstock.toml"
    file.write_text('address = "10.0.0.7:1"\nfast_lane_address = "10.0.0.7:2"\n')
    monkeypatch.setenv("LOCKSTOCK_CONFIG", str(file))
    assert asked() == ("10.0.0.7:1", "10.0.0.7:2")
    monkeypatch.setenv("LOCKSTOCK_FAST_LANE_ADDRESS", "127.0.0.1:56052")
    assert asked() == ("10.0.0.7:1", "127.0.0.1:56052")


def test_what_is_given_with_the_command_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTOCK_ADDRESS", "127.0.0.1:0")
    assert doors.server_address("there:1") == doors.fast_lane_address("there:1") == "there:1"


@pytest.mark.parametrize(
    ("listens", "is_asked"),
    [("0.0.0.0:5", "127.0.0.1:5"), ("[::]:5", "[::1]:5"), (":::5", "[::1]:5"), ("shop:5", "shop:5")],
)
def test_who_listens_everywhere_is_asked_on_the_loopback(
    monkeypatch: pytest.MonkeyPatch, listens: str, is_asked: str
) -> None:
    monkeypatch.setenv("LOCKSTOCK_ADDRESS", listens)
    assert doors.server_address() == is_asked


def test_where_there_is_no_fast_lane_the_python_door_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTOCK_FAST_LANE_ADDRESS", "")
    assert doors.fast_lane_address() == doors.DEFAULTS["address"]


def test_any_free_port_cannot_be_asked_and_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTOCK_FAST_LANE_ADDRESS", "127.0.0.1:0")
    asked = CliRunner().invoke(app, ["stock", "BOOK"])
    assert asked.exit_code == Exit.USAGE
    assert "127.0.0.1:0 is any free port" in asked.output
