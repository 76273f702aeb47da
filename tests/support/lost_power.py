"""Lost power: takes back what no sync has made durable, sector by sector, as a disk may.

The library of `world.py` keeps what stood there before each write. Between two syncs of a file a disk may write any
sector in any order, or not at all: each sector of 512 bytes gets one of the contents it had since the last sync, each
file one of its lengths, and of the names that were made, changed or removed since their directory was synced the last
few are as they were.
"""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.world import World

SECTOR = 512
HEAD = struct.Struct("<QQqqq")


@dataclass(frozen=True, slots=True)
class Step:
    """One record of the library: see `struct undo` in `world.c`."""

    number: int
    kind: str
    inode: int
    offset: int
    size: int
    old: bytes

    @property
    def names(self) -> list[str]:
        return self.old.decode().split("\0")


@dataclass
class Pending:
    """What is not durable at the end."""

    writes: dict[int, list[Step]] = field(default_factory=lambda: defaultdict(list))
    names: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """How much a cut took."""

    sectors: int
    sizes: int
    names: int


def steps(log: bytes) -> Iterator[Step]:
    at = number = 0
    while at + HEAD.size <= len(log):
        kind, inode, offset, size, length = HEAD.unpack_from(log, at)
        at += HEAD.size
        if at + length > len(log):
            # The process died while it wrote this down, so it never did it.
            return
        yield Step(number, chr(kind), inode, offset, size, log[at : at + length])
        at += length
        number += 1


def pending(log: bytes) -> Pending:
    """What was done and not made durable: a sync covers what came before its beginning, if it succeeded."""
    found = Pending()
    begun: dict[int, tuple[int, str]] = {}
    for step in steps(log):
        match step.kind:
            case "W" | "Z":
                found.writes[step.inode].append(step)
            case "C" | "R" | "U":
                found.names.append(step)
            case "B" | "D":
                begun[step.offset] = (step.number, step.old.decode().rstrip("\0"))
            case "S":
                began = begun[step.offset][0]
                found.writes[step.inode] = [w for w in found.writes[step.inode] if w.number > began]
            case "E":
                began, directory = begun[step.offset]
                found.names = [
                    name
                    for name in found.names
                    if name.number > began or str(Path(name.names[0]).parent) != directory
                ]
            case other:
                raise AssertionError(other)
    return found


def cut_power(
    world: World, roots: Sequence[Path], draw: random.Random, share: float | None = None
) -> TakenBack:
    """Makes the disk what it may be after a power cut; `draw` decides which of the many it is.

    `share` is how much of it is lost: 1.0 for all of what was not synced.
    """
    log = world.directory / "undo"
    found = pending(log.read_bytes() if log.exists() else b"")
    files = {path.stat().st_ino: path for path in _files([*roots, world.directory])}
    # Often a little, often all.
    share = draw.choice([0.1, 0.5, 0.9, 1.0]) if share is None else share
    sectors = sizes = 0
    for inode, writes in sorted(found.writes.items()):
        if inode in files:
            taken, shorter = _take_back_writes(files[inode], writes, draw, share)
            sectors, sizes = sectors + taken, sizes + shorter
    names = len(found.names) if share == 1.0 else draw.randint(0, len(found.names))
    for step in reversed(found.names[len(found.names) - names :]):
        _take_back_name(step)
    for path in _files(roots):
        # Shared memory is no file of the disk's.
        if path.name.endswith("-shm"):
            path.unlink()
    return TakenBack(sectors, sizes, names)


def _files(roots: Sequence[Path]) -> list[Path]:
    """Every file below the directories, and the files with what stands beside them under their name (SQLite's log)."""
    found = [
        path
        for root in roots
        for path in (root.rglob("*") if root.is_dir() else root.parent.glob(f"{root.name}*"))
        if path.is_file()
    ]
    return sorted(found)


def _take_back_writes(path: Path, writes: list[Step], draw: random.Random, share: float) -> tuple[int, int]:
    now = path.stat().st_size
    size, size_stands = now, False
    settled: set[int] = set()
    taken: dict[int, bytes] = {}
    for write in reversed(writes):
        if write.size != size and not size_stands:
            size_stands = draw.random() >= share
            size = size if size_stands else write.size
        for at in range(0, len(write.old), SECTOR):
            sector = write.offset + at
            if sector in settled:
                continue
            if draw.random() < share:
                taken[sector] = write.old[at : at + SECTOR]
            else:
                settled.add(sector)
    with path.open("r+b") as file:
        for sector, old in taken.items():
            file.seek(sector)
            file.write(old)
        file.truncate(size)
    return len(taken), int(size != now)


def _take_back_name(step: Step) -> None:
    one, two, saved = (Path(name) if name else None for name in step.names[:3])
    assert one is not None
    match step.kind:
        case "C":
            one.unlink(missing_ok=True)
        case "R":
            assert two is not None
            if two.exists():
                two.rename(one)
            if saved is not None:
                saved.replace(two)
        case _:
            assert saved is not None
            saved.replace(one)
