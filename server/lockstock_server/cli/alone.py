"""A data directory that nobody writes to: what an offline command reads must not change under it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lockstock_server.cli.output import Exit, fail

LOCK = "LOCK"
"""The file that a server holds an exclusive `flock` on, as long as it lives."""


@contextmanager
def unwritten(data_dir: Path) -> Iterator[None]:
    """Keeps servers off the directory meanwhile; a running one ends the command with a sentence.

    Commands that only read share it: several may run at once.
    """
    path = data_dir / LOCK
    with ExitStack() as held:
        descriptor = _opened(path)
        if descriptor is not None:
            held.callback(os.close, descriptor)
            _share(descriptor, path)
        yield


def _opened(path: Path) -> int | None:
    """The file, made where it is missing; None where none is and none can be made: a copy that cannot be written."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    except OSError as error:
        if path.exists():
            fail(f"{path} cannot be opened: {error.strerror}.", Exit.NOT_SO)
        return None


def _share(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        # A batch that is half written looks like damage.
        fail(
            f"another process has the data directory: {path} is locked (stop the server; its journal cannot "
            "be judged while it is written)",
            Exit.NOT_SO,
        )
