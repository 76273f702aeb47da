"""Databases to project into: SQLite files and a real PostgreSQL that comes as a Python package."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.postgresql import PostgreSQL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    server = PostgreSQL(tmp_path_factory.mktemp("postgresql") / "data")
    yield server
    server.close()


@pytest.fixture
def new_sqlite(tmp_path: Path) -> Callable[[], str]:
    return lambda: f"sqlite:///{tmp_path / f'lockstock_{next(_numbers)}.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Makes the URL of a new, empty database; each test runs with both kinds."""
    if request.param == "sqlite":
        make: Callable[[], str] = request.getfixturevalue("new_sqlite")
        return make
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.new_database


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()
