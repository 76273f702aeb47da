"""Settings: where they come from, and that a wrong one is a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from lockstock_server import settings
from lockstock_server.errors import ExitCode, StartError
from lockstock_server.settings import Settings


@pytest.fixture(autouse=True)
def no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LOCKSTOCK_{name.upper()}", raising=False)
    monkeypatch.delenv("LOCKSTOCK_CONFIG", raising=False)


def test_every_setting_has_a_default_and_a_description() -> None:
    settings.load()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name


def test_a_setting_of_the_environment_wins_over_the_file_and_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "lockstock.toml"
    file.write_text('address = "0.0.0.0:1"\nhold_default = "PT5M"\nsegment_bytes = "1MiB"\n')
    monkeypatch.setenv("LOCKSTOCK_CONFIG", str(file))
    monkeypatch.setenv("LOCKSTOCK_ADDRESS", "127.0.0.1:2")
    loaded = settings.load()
    assert loaded.address == "127.0.0.1:2"
    assert loaded.hold_default == timedelta(minutes=5)
    assert loaded.segment_bytes == 1 << 20
    assert loaded.hold_max == timedelta(hours=24)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("0.5", 0.5), ("PT2M", 120), ("P1DT1S", 86_401)])
def test_a_period_is_seconds_or_iso_8601(monkeypatch: pytest.MonkeyPatch, text: str, seconds: float) -> None:
    monkeypatch.setenv("LOCKSTOCK_SHUTDOWN_DEADLINE", text)
    assert settings.load().shutdown_deadline.total_seconds() == seconds


def test_what_is_given_in_code_wins_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTOCK_ADDRESS", "127.0.0.1:2")
    assert settings.load(address="127.0.0.1:3").address == "127.0.0.1:3"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ADDRESS", "nowhere", "LOCKSTOCK_ADDRESS (address) is 'nowhere': must be host:port"),
        ("ADDRESS", "h:70000", "LOCKSTOCK_ADDRESS (address) is 'h:70000': must be host:port"),
        ("ADDRESS", "", "LOCKSTOCK_ADDRESS (address) is '': must be host:port"),
        ("DURABILITY", "maybe", "LOCKSTOCK_DURABILITY (durability) is 'maybe': "),
        ("HOLD_DEFAULT", "0", "LOCKSTOCK_HOLD_DEFAULT (hold_default) is '0': must be longer than zero"),
        ("HOLD_MAX", "soon", "LOCKSTOCK_HOLD_MAX (hold_max) is 'soon': must be seconds"),
        ("HOLD_MAX", "inf", "LOCKSTOCK_HOLD_MAX (hold_max) is 'inf': must not be longer than 3650 days"),
        (
            "HOLD_MAX",
            "P9999D",
            "LOCKSTOCK_HOLD_MAX (hold_max) is 'P9999D': must not be longer than 3650 days",
        ),
        ("SEGMENT_BYTES", "-1", "LOCKSTOCK_SEGMENT_BYTES (segment_bytes) is '-1': "),
        ("SEGMENT_BYTES", "65535", "LOCKSTOCK_SEGMENT_BYTES (segment_bytes) is '65535': "),
        ("FAST_LANE_THREADS", "many", "LOCKSTOCK_FAST_LANE_THREADS (fast_lane_threads) is 'many': "),
        ("MESSAGE_BYTES_MAX", "1MiB", "LOCKSTOCK_MESSAGE_BYTES_MAX (message_bytes_max) is '1MiB': "),
        (
            "HOLD_DEFAULT",
            "P2D",
            "The settings do not fit together: hold_default must not be longer than hold_max.",
        ),
        ("ADRESS", "127.0.0.1:1", "LOCKSTOCK_ADRESS is not a setting"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"LOCKSTOCK_{name}", value)
    with pytest.raises(StartError) as error:
        settings.load()
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)
    assert error.value.code == ExitCode.SETTINGS


@pytest.mark.parametrize(
    "name", ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_GRPC", "PORT", "PORT_50051_TCP_ADDR"]
)
def test_what_a_cluster_sets_for_a_service_of_this_name_is_no_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"LOCKSTOCK_{name}", "10.0.0.1")
    settings.load()


@pytest.mark.parametrize(
    ("text", "words"),
    [('adress = "a:1"', "adress is not a setting"), ("not toml", "cannot be read")],
)
def test_a_wrong_file_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "lockstock.toml"
    file.write_text(text)
    monkeypatch.setenv("LOCKSTOCK_CONFIG", str(file))
    with pytest.raises(StartError, match=words):
        settings.load()


def test_a_file_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTOCK_CONFIG", "/nowhere/lockstock.toml")
    with pytest.raises(StartError, match="which is not a file"):
        settings.load()


def test_the_default_database_is_in_the_data_directory(tmp_path: Path) -> None:
    assert settings.load(data_dir=tmp_path).database == f"sqlite:///{tmp_path}/lockstock.db"
    assert settings.load(database_url="postgresql://x/y").database == "postgresql://x/y"


def test_the_addresses_of_fast_lane_and_metrics_may_be_empty() -> None:
    loaded = settings.load(fast_lane_address="", metrics_address="")
    assert (loaded.fast_lane_address, loaded.metrics_address) == ("", "")


def test_freed_memory_stays_for_ten_seconds_unless_the_operator_says_otherwise() -> None:
    name = "MIMALLOC_PURGE_DELAY"
    program = f"import os, lockstock_server; print(os.environ[{name!r}])"
    quiet = {key: value for key, value in os.environ.items() if key != name}
    said = [
        subprocess.run([sys.executable, "-c", program], env=env, check=True, capture_output=True, text=True)
        for env in (quiet, {**quiet, name: "500"})
    ]
    assert [done.stdout.strip() for done in said] == ["10000", "500"]
