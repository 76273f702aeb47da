"""What an import would do, told without doing it: references to what is not there yet, and what would differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from lockstock_server.catalog import bodies

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from lockstock_server.catalog.kinds import Document, Kind
    from lockstock_server.catalog.references import Lookup

    Assumed = Mapping[str, AbstractSet[str]]
    """Ids by the name of their kind that imports before this one would create."""

VALUE_BYTES_MAX = 128
"""A value longer than that is cut: so the answer to 8,190 rows stays within what a transport takes."""


class FieldChange(NamedTuple):
    """A field whose value would change, with both values as texts."""

    field: str
    old: str
    new: str


class Overlay:
    """A lookup in which what an import would create stands already."""

    def __init__(self, lookup: Lookup, assumed: Assumed) -> None:
        self._lookup = lookup
        self._assumed = assumed
        self._made: dict[tuple[str, str], Document] = {}

    def put(self, kind: Kind, document: Document) -> None:
        """Let a document stand."""
        self._made[kind.name, kind.id_of(document)] = document

    def find(self, kind: Kind, document_id: str) -> Document | None:
        """Give the document as it would stand; one of another import says nothing but that it is there."""
        found = self._made.get((kind.name, document_id)) or self._lookup.find(kind, document_id)
        if found is None and document_id in self._assumed.get(kind.name, ()):
            return kind.message()
        return found


def differences(before: bytes, after: bytes) -> list[FieldChange]:
    """Compare two bodies: the fields that differ, by name."""
    old, new = json.loads(before), json.loads(after)
    return [
        FieldChange(field, _shown(old.get(field)), _shown(new.get(field)))
        for field in sorted(old.keys() | new.keys())
        if old.get(field) != new.get(field)
    ]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    text = value.encode() if isinstance(value, str) else bodies.canonical(value)
    # A sign may be cut in two; what is left of it is dropped.
    return text[:VALUE_BYTES_MAX].decode(errors="ignore")
