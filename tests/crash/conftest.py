"""The library between a server and its world, servers that die in it, and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.postgresql import PostgreSQL
from support.victim import Victim
from support.world import build_library

NewVictim = Callable[..., Victim]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    server = PostgreSQL(tmp_path_factory.mktemp("postgresql") / "data")
    yield server
    server.close()


@pytest.fixture
def new_victim(tmp_path: Path, library: Path, request: pytest.FixtureRequest) -> Iterator[NewVictim]:
    """Makes servers; what still runs at the end is killed."""
    made: list[Victim] = []

    def new(seed: int = 1, rerun: str = "", settings: dict[str, str] | None = None) -> Victim:
        rerun = rerun or f"pytest '{request.node.nodeid}'"
        victim = Victim(tmp_path / f"victim-{len(made)}", library, seed=seed, rerun=rerun, settings=settings)
        made.append(victim)
        return victim

    yield new
    for victim in made:
        victim.put_away()
