"""The planners' view of the catalogue: the documents in memory as they stand in the engine."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockstock_server.catalog.kinds import KINDS, Document, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Stored:
    """A document and its version, which is the sequence of its last change."""

    document: Document
    version: int


@dataclass(slots=True)
class _Shelf:
    documents: dict[str, Stored] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)


class View:
    """All documents, by kind and id. Ids are ordered by their code points, as the engine orders them."""

    def __init__(self) -> None:
        self._shelves = {kind.name: _Shelf() for kind in KINDS}

    def get(self, kind: Kind, document_id: str) -> Stored | None:
        """Give the document with its version, or None."""
        return self._shelves[kind.name].documents.get(document_id)

    def find(self, kind: Kind, document_id: str) -> Document | None:
        """Give the document, or None."""
        stored = self.get(kind, document_id)
        return stored.document if stored else None

    def ids(self, kind: Kind) -> Sequence[str]:
        """Give all ids of a kind, in order."""
        return self._shelves[kind.name].ids

    def put(self, kind: Kind, document: Document, version: int) -> None:
        """Keep a document as the engine has it."""
        shelf = self._shelves[kind.name]
        document_id = kind.id_of(document)
        if document_id not in shelf.documents:
            # The engine lists in order, so loading appends; only later additions search their place.
            if not shelf.ids or shelf.ids[-1] < document_id:
                shelf.ids.append(document_id)
            else:
                insort(shelf.ids, document_id)
        shelf.documents[document_id] = Stored(document, version)
