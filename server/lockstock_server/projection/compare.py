"""Whether the database is what the journal says: for `lockstock verify` and tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockstock_server import _core
from lockstock_server.progress import Watch, unwatched
from lockstock_server.projection import database
from lockstock_server.projection.difference import Comparison, compare_database
from lockstock_server.projection.errors import DatabaseAwayError

if TYPE_CHECKING:
    from lockstock_server.projection.difference import Expected

__all__ = ["Comparison", "compare"]


def compare(url: str, data_dir: Path, watch: Watch = unwatched) -> Comparison:
    """Compares the database of a URL with the journal in a data directory, row by row; the database may be in use.

    A database that is not there, or is empty, has nothing that could differ (`sequence` is None); one that
    cannot be reached, or stands beyond the end of the journal, is a difference.
    """

    def replay(sequence: int) -> Expected:
        step = watch("replaying to where the database stands")
        return _core.Offline.open(str(data_dir), sequence, step)

    parsed = database.parse_url(url)
    if parsed.get_backend_name() == database.SQLITE and not Path(parsed.database or "").is_file():
        return Comparison()
    engine = database.open_database(url)
    try:
        return compare_database(engine, replay, watch)
    except DatabaseAwayError as error:
        return Comparison(differences=[f"the database cannot be read: {error}"])
    except _core.CoreError as error:
        return Comparison(differences=[f"the journal does not reach where the database stands: {error}"])
    finally:
        engine.dispose()
