"""The settings of a server: one typed model, from the environment and an optional TOML file.

A value in the environment (`LOCKSTOCK_` and the field's name) wins over the file, the file over the default.
The file is named by LOCKSTOCK_CONFIG.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from lockstock_server.errors import ExitCode, StartError
from lockstock_server.masking import masked, masked_url

ENV_PREFIX = "LOCKSTOCK_"
CONFIG_VARIABLE = "LOCKSTOCK_CONFIG"
PORT_MAX = 65_535
SEGMENT_BYTES_MIN = 64 << 10
"""The journal's own bound (core_rs/journal): asked for here, so that every command refuses a smaller one alike."""
# What Kubernetes puts into the environment by itself where a service is called lockstock.
_OF_A_CLUSTER = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$")
PERIOD_MAX = timedelta(days=3_650)


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= PORT_MAX):
        raise ValueError("must be host:port, with port 0 for any free one")
    return value


def _optional_address(value: str) -> str:
    return _address(value) if value else value


def _period(value: object) -> object:
    """Reads a period: seconds as a number, also in text as the environment has it, or ISO 8601."""
    if not isinstance(value, str) or value.startswith("P"):
        return value
    try:
        seconds = float(value)
    except ValueError:
        raise ValueError("must be seconds (30, 0.5) or ISO 8601 (PT30M)") from None
    if not abs(seconds) <= PERIOD_MAX.total_seconds():
        raise ValueError(f"must not be longer than {PERIOD_MAX.days} days")
    return seconds


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than zero")
    if value > PERIOD_MAX:
        raise ValueError(f"must not be longer than {PERIOD_MAX.days} days")
    return value


Address = Annotated[str, AfterValidator(_address)]
OptionalAddress = Annotated[str, AfterValidator(_optional_address)]
Period = Annotated[timedelta, BeforeValidator(_period), AfterValidator(_positive)]
Bytes = Annotated[ByteSize, Field(gt=0)]


class Durability(StrEnum):
    """When an answer may leave."""

    SYNC = "sync"
    """When what it says is on disk."""
    ASYNC = "async"
    """Before that: a crash of the machine may lose what was acknowledged."""


class LogFormat(StrEnum):
    """How a log line is written."""

    JSON = "json"
    """One JSON object a line."""
    TEXT = "text"
    """For people."""


class LogLevel(StrEnum):
    """The least severe events that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(BaseSettings):
    """Everything that can be set. Periods are seconds or ISO 8601 (`PT30M`); sizes bytes or `64MiB`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    data_dir: Path = Path("data")
    """Where journal, snapshots and the default database live."""
    database_url: Annotated[str, Field(repr=False)] = ""
    """The database, as SQLAlchemy writes it; empty: SQLite in the data directory."""

    address: Address = "127.0.0.1:50051"
    """Where every service is served, host:port; port 0: any free one."""
    fast_lane_address: OptionalAddress = "127.0.0.1:50052"
    """Where StockService is served without Python, host:port; empty: not at all."""
    metrics_address: OptionalAddress = "127.0.0.1:9464"
    """Where /metrics, /healthz and /readyz are served, host:port; empty: not at all."""

    durability: Durability = Durability.SYNC
    """`sync`: acknowledged is on disk. `async`: a crash of the machine may lose what was acknowledged."""

    hold_default: Period = timedelta(minutes=30)
    """How long a lock stands where the caller does not say, in seconds."""
    hold_max: Period = timedelta(hours=24)
    """The longest hold a caller may ask for, in seconds."""
    extensions_max: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    """How often a lock may be extended."""
    lock_lifetime_max: Period = timedelta(hours=72)
    """How long a lock may live with all its extensions, in seconds."""
    request_id_retention: Period = timedelta(hours=96)
    """How long request ids are remembered, in seconds, as long as no more than request_ids_max came."""
    request_ids_max: PositiveInt = 20_000_000
    """How many request ids are remembered at most (about 32 bytes of memory each)."""

    segment_bytes: Annotated[ByteSize, Field(ge=SEGMENT_BYTES_MIN)] = ByteSize(64 << 20)
    """The size of a journal segment, in bytes, 64 KiB at least."""
    in_flight_records_max: PositiveInt = 65_536
    """The most records that are not yet durable; new locks are refused at 70 % of it."""
    in_flight_bytes_max: Bytes = ByteSize(16 << 20)
    """The most bytes of records that are not yet durable; new locks are refused at 70 % of it."""
    disk_floor_bytes: Annotated[ByteSize, Field(ge=0)] = ByteSize(1 << 30)
    """New locks are refused while less of the disk than this is free, in bytes."""
    sweep_interval: Period = timedelta(milliseconds=100)
    """How often expired locks are looked for when nobody calls, in seconds."""
    snapshot_every_bytes: Bytes = ByteSize(256 << 20)
    """A snapshot is written after so many bytes of journal."""
    retry_hint: Period = timedelta(milliseconds=100)
    """The wait that a refusal proposes where a retry helps soon, in seconds."""

    projection_batch_events: PositiveInt = 10_000
    """The most events that go into the database in one transaction."""
    projection_interval: Period = timedelta(milliseconds=20)
    """How often the projector looks for new events when there are none, in seconds."""
    projection_retry_max: Period = timedelta(seconds=5)
    """The longest wait between two tries while the database is away, in seconds."""

    shutdown_deadline: Period = timedelta(seconds=30)
    """How long a graceful stop may take in all, in seconds."""
    fast_lane_threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads of the fast lane."""
    fast_lane_connections_max: PositiveInt = 10_000
    """The most connections of the fast lane."""
    concurrent_streams_max: PositiveInt = 1_000
    """The most calls at once on one connection, on each door."""
    message_bytes_max: Annotated[ByteSize, Field(ge=16 << 20, le=256 << 20)] = ByteSize(16 << 20)
    """The longest message that a transport takes, in bytes; the contract's own limit is 8 MiB."""

    log_level: LogLevel = LogLevel.INFO
    """The least severe events that are logged."""
    log_format: LogFormat = LogFormat.JSON
    """`json`: an object a line; `text`: for people."""

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.hold_default > self.hold_max:
            raise ValueError("hold_default must not be longer than hold_max")
        if self.hold_max > self.lock_lifetime_max:
            raise ValueError("hold_max must not be longer than lock_lifetime_max")
        return self

    @property
    def database(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'lockstock.db'}"

    def shown(self) -> dict[str, Any]:
        """Every setting as JSON's types, as it may be shown: a password in the database's URL is masked."""
        return {**self.model_dump(mode="json"), "database_url": masked_url(self.database_url)}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no .env file: the TOML file is the one place
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: given in code, then the environment, then the file."""
        named = os.environ.get(CONFIG_VARIABLE)
        file = TomlConfigSettingsSource(settings_cls, named) if named else None
        return (init_settings, env_settings, *((file,) if file else ()))


def load(**given: Any) -> Settings:
    """Read the settings; `given` wins over everything. Raises StartError with one sentence."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).is_file():
        raise StartError(ExitCode.SETTINGS, f"{CONFIG_VARIABLE} names {named}, which is not a file")
    unknown = sorted(_unknown())
    if unknown:
        raise StartError(
            ExitCode.SETTINGS, f"{unknown[0]} is not a setting; `lockstock config show` lists them"
        )
    try:
        return Settings(**given)
    except ValidationError as error:
        raise StartError(ExitCode.SETTINGS, _sentence(error)) from error
    except ValueError as error:
        raise StartError(ExitCode.SETTINGS, f"{named} cannot be read: {error}") from error


def _unknown() -> set[str]:
    """Variables that look like settings and are none: a typing error must not pass in silence."""
    known = {f"{ENV_PREFIX}{name}".upper() for name in Settings.model_fields} | {CONFIG_VARIABLE}
    # Of the tests and the tools around the server.
    others = {"LOCKSTOCK_RETAIL_FILE", "LOCKSTOCK_SEEDS"}
    ours = {name for name in os.environ if name.startswith(ENV_PREFIX) and not _OF_A_CLUSTER.search(name)}
    return ours - known - others


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    words = str(first["msg"]).removeprefix("Value error, ")
    if not first["loc"]:
        return f"The settings do not fit together: {words}."
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{name} is not a setting; `lockstock config show` lists them."
    return f"{ENV_PREFIX}{name.upper()} ({name}) is {masked(repr(first['input']))}: {words[:1].lower()}{words[1:]}."
