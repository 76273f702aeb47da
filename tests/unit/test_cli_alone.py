"""An offline command keeps servers off the data directory while it reads, and nobody else."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
import typer
from lockstock_server.cli.alone import LOCK, unwritten
from lockstock_server.cli.output import Exit


def servers_can_start(directory: Path) -> bool:
    with (directory / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_no_server_starts_while_a_command_reads_and_one_may_afterwards(tmp_path: Path) -> None:
    with unwritten(tmp_path):
        assert not servers_can_start(tmp_path)
    assert servers_can_start(tmp_path)


def test_several_commands_read_at_once(tmp_path: Path) -> None:
    with unwritten(tmp_path), unwritten(tmp_path):
        assert not servers_can_start(tmp_path)


def test_a_running_server_ends_the_command_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / LOCK).open("w") as server:
        fcntl.flock(server, fcntl.LOCK_EX)
        with pytest.raises(typer.Exit) as ended, unwritten(tmp_path):
            pytest.fail("it would read what is written")
    assert ended.value.exit_code == Exit.NOT_SO
    assert "another process has the data directory" in capsys.readouterr().err


def test_where_no_lock_can_be_had_what_stands_there_is_read_without_one(tmp_path: Path) -> None:
    with unwritten(tmp_path / "gone"):
        pass
    assert list(tmp_path.iterdir()) == []
