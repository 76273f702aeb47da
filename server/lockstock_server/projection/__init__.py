"""The database: an exact prefix of the journal, in tables that SQL users can read.

Never needed to sell or to plan: it can be away, dropped and built again. `projector` follows the engine and
writes; `compare` tells whether the database is what the journal says; `rebuild` drops it.
"""

from lockstock_server.projection.database import Position, read_position
from lockstock_server.projection.errors import DatabaseAwayError, ProjectionError
from lockstock_server.projection.projector import Projector, ProjectorState, ProjectorStatus

__all__ = [
    "DatabaseAwayError",
    "Position",
    "ProjectionError",
    "Projector",
    "ProjectorState",
    "ProjectorStatus",
    "read_position",
]
