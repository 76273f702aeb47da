"""What can go wrong with the database."""

from __future__ import annotations


class ProjectionError(Exception):
    """The database and the journal do not belong together, or the URL makes no sense. Retrying does not help.

    The text is a sentence for the operator.
    """


class DatabaseAwayError(Exception):
    """The database cannot be used now; it may be later. The text is what the driver said."""


class JournalAwayError(Exception):
    """A file of the journal cannot be read now; it may be later. The text is what the core said."""


class StalePositionError(Exception):
    """Somebody else has moved the database since its position was read: read it again."""
