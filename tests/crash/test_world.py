"""The instrument itself: what was synced stays, what was not may go, and a rule comes about where it says."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.lost_power import cut_power
from support.world import Plan, Rule, World

OLD, NEW = b"o" * 1500, b"n" * 1500
EIO = 5

PROLOGUE = """
import os
def sync_names():
    directory = os.open(".", os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
file = os.open(f"{os.getcwd()}/file", os.O_RDWR | os.O_CREAT, 0o600)
os.pwrite(file, b"o" * 1500, 0)
os.fsync(file)
sync_names()
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


@pytest.fixture
def world(tmp_path: Path, library: Path) -> Iterator[World]:
    world = World(tmp_path / "world", library)
    yield world
    world.close()


def run(world: World, disk: Path, what: str, *rules: Rule) -> int:
    """A process that does something to the disk; then all is lost that was not synced."""
    world.change(Plan(rules=rules, track=[disk]))
    ended = subprocess.run(
        [sys.executable, "-c", PROLOGUE + what], cwd=disk, env=world.environment(), check=False
    )
    cut_power(world, [disk], random.Random(1), share=1.0)
    return ended.returncode


def test_a_write_stays_once_it_is_synced_and_not_before(world: World, disk: Path) -> None:
    assert (
        run(world, disk, "os.pwrite(file, b'n' * 1500, 0); os.fsync(file); os.pwrite(file, b'x' * 99, 2000)")
        == 0
    )
    assert (disk / "file").read_bytes() == NEW
    world.begin_life()
    assert run(world, disk, "os.pwrite(file, b'n' * 1500, 0); os.ftruncate(file, 10)") == 0
    assert (disk / "file").read_bytes() == OLD


def test_a_sync_that_failed_has_made_nothing_durable(world: World, disk: Path) -> None:
    broken = Rule("broken", f"fail={EIO}", "sync", "*/disk/file", nth=2)
    what = """
os.pwrite(file, b'n' * 1500, 0)
try:
    os.fsync(file)
except OSError as error:
    raise SystemExit(error.errno)
"""
    assert run(world, disk, what, broken) == EIO
    assert world.came_about() == ["broken"]
    assert (disk / "file").read_bytes() == OLD


@pytest.mark.parametrize(
    ("what", "before", "after"),
    [
        (
            "os.close(os.open(os.getcwd() + '/other', os.O_CREAT | os.O_WRONLY, 0o600))",
            {"file"},
            {"file", "other"},
        ),
        ("os.rename(os.getcwd() + '/file', os.getcwd() + '/other')", {"file"}, {"other"}),
        ("os.unlink(os.getcwd() + '/file')", {"file"}, set()),
    ],
    ids=["made", "changed", "removed"],
)
def test_a_name_stays_once_its_directory_is_synced_and_not_before(
    world: World, disk: Path, what: str, before: set[str], after: set[str]
) -> None:
    assert run(world, disk, what) == 0
    assert {path.name for path in disk.iterdir()} == before
    world.begin_life()
    assert run(world, disk, f"{what}; sync_names()") == 0
    assert {path.name for path in disk.iterdir()} == after


def test_it_kills_at_the_call_that_the_rule_names(world: World, disk: Path) -> None:
    amid = Rule("amid", "kill-amid", "write", "*/disk/file", nth=2)
    world.change(Plan(rules=[amid]))
    what = f"{PROLOGUE}\nos.pwrite(file, b'n' * 1500, 0)"
    ended = subprocess.run([sys.executable, "-c", what], cwd=disk, env=world.environment(), check=False)
    assert ended.returncode == -signal.SIGKILL
    assert world.came_about() == ["amid"]
    assert (disk / "file").read_bytes() == NEW[:750] + OLD[750:]
