"""The worked example of docs/: its commands, its answers, and running them against a server."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "worked_example.md"
FILES = DOCS / "example"

PROMPT = "$ "
FENCE = "```"
COLUMNS = "100"
MOMENT = re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d")
SHOWN = "YYYY-MM-DD HH:MM:SS"

ON_THE_FAST_LANE = frozenset({"stock", "reservation"})
NOT_A_CALL = frozenset({"cd", "alias"})


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the page and the answer that stands below it."""

    line: str
    answer: str

    @property
    def words(self) -> list[str]:
        """As a shell would split it."""
        return shlex.split(self.line)


def read(page: str) -> Iterator[str | Command]:
    """The page in order: texts as they stand, commands with their answers."""
    text: list[str] = []
    lines = iter(page.splitlines(keepends=True))
    for line in lines:
        text.append(line)
        if line.startswith(f"{FENCE}console"):
            yield "".join(text)
            text = []
            command, answer = "", ""
            for inside in lines:
                if inside.startswith((PROMPT, FENCE)) and command:
                    yield Command(command, answer)
                if inside.startswith(FENCE):
                    text.append(inside)
                    break
                if inside.startswith(PROMPT):
                    command, answer = inside.removeprefix(PROMPT).rstrip("\n"), ""
                else:
                    answer += inside
    yield "".join(text)


def run(command: Command, server: str, fast_lane: str) -> str:
    """What the command prints, its last words on stderr included; times are not told."""
    program, *arguments = command.words
    if program in NOT_A_CALL:
        return ""
    door = ["--fast-lane", fast_lane] if arguments[0] in ON_THE_FAST_LANE else ["--server", server]
    done = subprocess.run(
        [sys.executable, "-m", "lockstock_server.cli", *arguments, *door],
        check=False,
        capture_output=True,
        text=True,
        cwd=FILES,
        timeout=60,
        env={**os.environ, "COLUMNS": COLUMNS},
    )
    printed = "".join(f"{line.rstrip()}\n" for line in (done.stdout + done.stderr).splitlines())
    return MOMENT.sub(SHOWN, printed)


def written(parts: list[str | Command], answers: list[str]) -> str:
    """The page with these answers."""
    waiting = iter(answers)
    return "".join(
        part if isinstance(part, str) else f"{PROMPT}{part.line}\n{next(waiting)}" for part in parts
    )
