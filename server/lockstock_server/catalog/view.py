"""The planners' view of the catalogue: what planning needs in memory, the rest read from the engine on demand.

A million SKUs are the engine's business: holding them here too would double the memory and the time of a start.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from lockstock_server.catalog import bodies
from lockstock_server.catalog.kinds import KINDS, Document, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockstock.internal.v1 import documents_pb2 as seam

    from lockstock_server.catalog.documents import Documents


class Stored(Protocol):
    """A document as it stands; its version is the sequence of its last change."""

    @property
    def document(self) -> Document:
        """The document."""

    @property
    def version(self) -> int:
        """Its version."""

    @property
    def body(self) -> bytes:
        """Its body, as the engine has it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A document that is kept in memory."""

    document: Document
    version: int

    @property
    def body(self) -> bytes:
        """Write the body as it was put."""
        return bodies.write(self.document)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document as the engine gave it; read only where somebody looks into it."""

    kind: Kind
    body: bytes
    version: int

    @property
    def document(self) -> Document:
        """Read the body."""
        return bodies.read(self.kind, self.body)


class Shelf(Protocol):
    """Where the documents of one kind are found, ordered by id as the engine orders them: by code points."""

    async def many(self, ids: Iterable[str]) -> Mapping[str, Stored]:
        """Give the documents that there are, by id."""

    async def page(self, after: str, limit: int) -> list[Stored]:
        """Give up to `limit` documents with ids after this one (empty: from the first), in order."""

    def put(self, document: Document, version: int) -> None:
        """Take note of a document as the engine has it now."""


@dataclass(slots=True)
class HeldShelf:
    """All documents of a kind in memory."""

    kind: Kind
    documents: dict[str, Held] = field(default_factory=dict)
    _ids: list[str] = field(default_factory=list)

    async def many(self, ids: Iterable[str]) -> Mapping[str, Stored]:
        """Look them up."""
        return {name: self.documents[name] for name in ids if name in self.documents}

    async def page(self, after: str, limit: int) -> list[Stored]:
        """Cut a run out of the ids."""
        first = bisect_right(self._ids, after)
        return [self.documents[name] for name in self._ids[first : first + limit]]

    def put(self, document: Document, version: int) -> None:
        """Keep it."""
        document_id = self.kind.id_of(document)
        if document_id not in self.documents:
            # The engine lists in order, so loading appends; only later additions search their place.
            if not self._ids or self._ids[-1] < document_id:
                self._ids.append(document_id)
            else:
                insort(self._ids, document_id)
        self.documents[document_id] = Held(document, version)


@dataclass(frozen=True, slots=True)
class EngineShelf:
    """The documents of a kind where they are: in the engine."""

    kind: Kind
    documents: Documents

    async def many(self, ids: Iterable[str]) -> Mapping[str, Stored]:
        """Ask for them."""
        asked = list(ids)
        found = await self.documents.get(self.kind.number, asked) if asked else ()
        return {document.id: self._fetched(document) for document in found}

    async def page(self, after: str, limit: int) -> list[Stored]:
        """Ask for a run of them."""
        found = await self.documents.run(self.kind.number, after, limit)
        return [self._fetched(document) for document in found]

    def put(self, document: Document, version: int) -> None:
        """Nothing to note: the engine has it."""

    def _fetched(self, document: seam.Document) -> Fetched:
        return Fetched(self.kind, document.body, document.version)


class View:
    """All documents, by kind and id."""

    def __init__(self, documents: Documents) -> None:
        self._held = {kind.name: HeldShelf(kind) for kind in KINDS if kind.held}
        asked = {kind.name: EngineShelf(kind, documents) for kind in KINDS if not kind.held}
        self._shelves: dict[str, Shelf] = {**self._held, **asked}

    def find(self, kind: Kind, document_id: str) -> Document | None:
        """Give a document of a held kind, or None: planning looks things up without waiting."""
        held = self._held[kind.name].documents.get(document_id)
        return held.document if held else None

    async def get(self, kind: Kind, document_id: str) -> Stored | None:
        """Give the document with its version, or None."""
        return (await self.many(kind, [document_id])).get(document_id)

    async def many(self, kind: Kind, ids: Iterable[str]) -> Mapping[str, Stored]:
        """Give the documents that there are, by id."""
        return await self._shelves[kind.name].many(ids)

    async def page(self, kind: Kind, after: str, limit: int) -> list[Stored]:
        """Give up to `limit` documents with ids after this one, in order."""
        return await self._shelves[kind.name].page(after, limit)

    def put(self, kind: Kind, document: Document, version: int) -> None:
        """Take note of a document as the engine has it now."""
        self._shelves[kind.name].put(document, version)
