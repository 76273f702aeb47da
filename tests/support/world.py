"""The world around a server: a library between the process and libc that does what a plan says (`crash/world.c`)."""

from __future__ import annotations

import mmap
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "crash" / "world.c"


def build_library(directory: Path) -> Path:
    """Compiles it; a machine without a C compiler fails here, with a sentence."""
    compiler = shutil.which("cc")
    assert compiler, (
        "The crash tests need a C compiler, and there is no 'cc' on the PATH (Debian: apt install gcc)."
    )
    library = directory / "world.so"
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(library), str(SOURCE), "-ldl", "-lpthread"], check=True)
    return library


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens at the n-th call of a kind on a path: see `world.c` for the calls and the actions."""

    name: str
    action: str
    call: str
    pattern: str
    nth: int = 1
    onwards: bool = False
    """At every later one, too."""
    after: str = "-"
    """Counts only once the rule of this name came about."""

    def line(self) -> str:
        nth, onwards = str(self.nth), str(int(self.onwards))
        return f"rule {self.name} {self.action} {self.call} {nth} {onwards} {self.after} {self.pattern}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the world does besides what a world does."""

    rules: Sequence[Rule] = ()
    track: Sequence[Path] = ()
    """Writes below these may be taken back until they are synced."""
    free_bytes: int | None = None
    clock_seconds: int = 0

    def text(self) -> str:
        lines = [rule.line() for rule in self.rules] + [f"track {path}" for path in self.track]
        lines += [] if self.free_bytes is None else [f"free {self.free_bytes}"]
        return "\n".join([*lines, f"clock {self.clock_seconds}", ""])


class World:
    """One directory of the library, over as many lives of the server as needed."""

    def __init__(self, directory: Path, library: Path) -> None:
        self.directory = directory
        self._library = library
        directory.mkdir()
        (directory / "control").write_bytes(bytes(8))
        self._control = (directory / "control").open("r+b")
        self._generation = mmap.mmap(self._control.fileno(), 8)
        self.change(Plan())

    def environment(self) -> dict[str, str]:
        """What the server must be started with."""
        return {"LD_PRELOAD": str(self._library), "WORLD": str(self.directory)}

    def change(self, plan: Plan) -> None:
        """From now on it goes by this plan; the rules count from zero."""
        draft = self.directory / "plan.new"
        draft.write_text(plan.text())
        draft.replace(self.directory / "plan")
        # The number last: who sees it finds the plan.
        self._generation[:] = (int.from_bytes(self._generation[:], "little") + 1).to_bytes(8, "little")

    def begin_life(self) -> None:
        """What is on the disk now is durable, and nothing has come about yet."""
        for name in ["trace", "undo", *(path.name for path in self.directory.glob("grave-*"))]:
            (self.directory / name).unlink(missing_ok=True)

    def came_about(self) -> list[str]:
        """The names of the rules that came about in this life, in order."""
        trace = self.directory / "trace"
        return [line.split()[0] for line in trace.read_text().splitlines()] if trace.exists() else []

    def close(self) -> None:
        self._generation.close()
        self._control.close()
