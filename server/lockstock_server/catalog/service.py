"""The catalogue's service: reads from the view, writes through the engine."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lockstock.internal.v1 import documents_pb2 as seam
from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.catalog import bodies, etags, form, masks, pages, references
from lockstock_server.catalog.documents import put_of
from lockstock_server.catalog.install import Installer
from lockstock_server.catalog.kinds import KINDS, SHOP, Document, Kind
from lockstock_server.catalog.plans import Plans
from lockstock_server.catalog.view import View
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from lockstock_server.catalog.documents import Documents

_T = TypeVar("_T")

METHODS = "/lockstock.v1.CatalogService"

OUTRUN = frozenset({"STALE_VERSION", "DOCUMENT_EXISTS"})
"""What the engine says where somebody else has put the document since it was read."""

TRIES = 8
"""How often a document that others keep changing is judged anew; each time one of them has got through."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A create or an update as it was called: what tells a repeated request from a reused key."""

    kind: Kind
    method: str
    document: Document
    request_id: str
    mask: tuple[str, ...] = ()

    def change(self) -> seam.PutDocumentsRequest:
        """The change that this call causes, without its documents."""
        return seam.PutDocumentsRequest(
            request_id=self.request_id,
            method=self.method,
            asked=self.document.SerializeToString(deterministic=True),
            update_mask=self.mask,
        )


class Catalog:
    """SKUs, warehouses, regions, channels, the shop's rules, and the route plans that follow from them.

    Writes of what planning needs are taken one after the other, so that a document and the plans it changes
    are judged against one state. Others need no order: the version expected by each guards against any other
    writer, and who was outrun is judged anew.
    """

    def __init__(self, documents: Documents) -> None:
        self.view = View(documents)
        self.plans = Plans()
        self.documents = documents
        self.writing = asyncio.Lock()
        self._installer = Installer(self.plans, documents, self.writing)
        self._running: set[asyncio.Task[Any]] = set()

    async def load(self) -> None:
        """Read from the engine what planning needs; install what plans a crash within an import left out."""
        for kind in (kind for kind in KINDS if kind.held):
            async for found in self.documents.all(kind.number):
                document = bodies.read(kind, found.body)
                self.view.put(kind, document, found.version)
                self.plans.change(document)
        async for found in self.documents.all(seam.DOCUMENT_KIND_ROUTE_PLAN):
            self.plans.note(found.id, bodies.read_plan(found.body), found.version)
        self.plans.owe(self.plans.regions())
        async with self.writing:
            await self.install_owed()

    # --- reads ---

    async def get(self, kind: Kind, document_id: str) -> Document:
        """Give a document with its etag. Raises Refused where there is none."""
        form.check_id(kind.name, document_id)
        stored = await self.view.get(kind, document_id)
        if stored is None:
            raise Refused(kind.missing, **{kind.name: document_id})
        return shown(stored.document, stored.version)

    async def page(self, kind: Kind, page_size: int, page_token: str) -> tuple[list[Document], str]:
        """Give a page of documents by id, and the token of the next page."""
        after, size = pages.asked(kind.plural, page_size, page_token)
        # One more than is shown tells whether another page follows.
        run = await self.view.page(kind, after, size + 1)
        page = [shown(stored.document, stored.version) for stored in run[:size]]
        return page, pages.token(kind.plural, kind.id_of(page[-1])) if len(run) > size else ""

    async def shop(self) -> Document:
        """Give the shop's rules; before the first update the defaults, without an etag."""
        stored = await self.view.get(SHOP, SHOP.only)
        return SHOP.message() if stored is None else shown(stored.document, stored.version)

    # --- writes ---

    async def create(self, kind: Kind, document: Document, request_id: str) -> Document:
        """Create a document; with its etag. Raises Refused."""
        asked = Asked(kind, f"{METHODS}/Create{kind.title}", document, request_id)
        return await self.undisturbed(self._write(asked, lambda: self._new(kind, document)))

    async def update(self, kind: Kind, document: Document, mask: Sequence[str], request_id: str) -> Document:
        """Change a document under a mask; with its new etag. Raises Refused."""
        asked = Asked(kind, f"{METHODS}/Update{kind.title}", document, request_id, tuple(mask))
        return await self.undisturbed(self._write(asked, lambda: self._changed(kind, document, mask)))

    async def undisturbed(self, write: Coroutine[object, object, _T]) -> _T:
        """Carry a write through to its end although the caller goes away: the engine may have taken it."""
        task = asyncio.create_task(write)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _new(self, kind: Kind, document: Document) -> tuple[Document, int]:
        made = form.normalised(document)
        if document.etag:
            raise Refused("FIELDS_CONFLICT", field=f"{kind.name}.etag")
        default_state(made, pb.WAREHOUSE_STATE_ACTIVE)
        form.check(kind, kind.name, made)
        if await self.view.get(kind, kind.id_of(made)) is not None:
            raise Refused("DOCUMENT_EXISTS", kind=kind.name, id=kind.id_of(made))
        references.check(self.view, kind, kind.name, made)
        return made, 0

    async def _changed(self, kind: Kind, document: Document, mask: Sequence[str]) -> tuple[Document, int]:
        document_id = kind.id_of(document)
        form.check_id(f"{kind.name}.{kind.name}", document_id)
        stored = await self.view.get(kind, document_id)
        if stored is None and not kind.only:
            raise Refused(kind.missing, **{kind.name: document_id})
        standing, version = (stored.document, stored.version) if stored else (kind.message(), 0)
        made = form.normalised(masks.merged(kind, standing, document, mask))
        form.check(kind, kind.name, made)
        etags.check(document_id, document.etag, version)
        references.check(self.view, kind, kind.name, made)
        return made, version

    def order(self, kind: Kind) -> AbstractAsyncContextManager[object]:
        """Give what writes of a kind wait for: each other, where planning needs the kind."""
        return self.writing if kind.held else nullcontext()

    async def _write(self, asked: Asked, prepare: Callable[[], Awaitable[tuple[Document, int]]]) -> Document:
        tries = 1 if asked.kind.held else TRIES
        async with self.order(asked.kind):
            while True:
                tries -= 1
                try:
                    document, expected = await prepare()
                except Refused:
                    # A repeated request gets its first answer, whatever has become of the document since.
                    first = await self._first_answer(asked)
                    if first is None:
                        raise
                    return first
                try:
                    return await self._put(asked, document, expected)
                except Refused as refused:
                    if not tries or refused.reason not in OUTRUN:
                        raise named(asked, refused) from refused

    async def _first_answer(self, asked: Asked) -> Document | None:
        if not asked.request_id:
            return None
        try:
            result = await self.documents.known(asked.change())
        except Refused as refused:
            raise named(asked, refused) from refused
        return None if result is None else self._recalled(asked, result)

    def _recalled(self, asked: Asked, result: seam.PutDocumentsResult) -> Document:
        for found in result.documents:
            if found.kind == asked.kind.number:
                return shown(bodies.read(asked.kind, found.body), found.version)
        raise LookupError(f"change {result.version} holds no {asked.kind.name}")

    async def _put(self, asked: Asked, document: Document, expected: int) -> Document:
        if asked.kind.held:
            return await self._put_planned(asked, document, expected)
        change = asked.change()
        change.documents.append(put_of(asked.kind, document, expected))
        result = await self.documents.put(change)
        return self._recalled(asked, result) if result.replayed else shown(document, result.version)

    async def _put_planned(self, asked: Asked, document: Document, expected: int) -> Document:
        """Put a document together with every plan it changes, in one step."""
        kind = asked.kind
        before = self.view.find(kind, kind.id_of(document))
        change = asked.change()
        change.documents.append(put_of(kind, document, expected))
        touched = self.plans.change(document) | self.plans.owed()
        try:
            # Plans beyond what one change may hold follow in steps of their own.
            due = self.plans.due(deque(sorted(touched)), change.ByteSize())
            change.documents.extend(due.puts)
            result = await self.documents.put(change)
        except Exception:
            self.plans.restore(document, before)
            raise
        if result.replayed:
            self.plans.restore(document, before)
            return self._recalled(asked, result)
        self.view.put(kind, document, result.version)
        self.plans.owe(touched)
        self.plans.installed(due, result.version)
        await self._installer.install_or_later()
        return shown(document, result.version)

    async def install_owed(self) -> None:
        """Put every plan that is owed, in changes of bounded size. Raises Refused."""
        await self._installer.install()


def shown(document: Document, version: int) -> Document:
    """The document with its etag, as callers get it."""
    answer = type(document)()
    answer.CopyFrom(document)  # type: ignore[arg-type] # the same type by construction
    answer.etag = etags.etag(version)
    return answer


def default_state(document: Document, state: pb.WarehouseState.ValueType) -> None:
    """Give a warehouse whose state is not said this one."""
    if isinstance(document, pb.Warehouse) and not document.state:
        document.state = state


def named(asked: Asked, refused: Refused) -> Refused:
    """The refusal in the caller's words: the seam's field `asked` is the caller's document."""
    if refused.reason == "REQUEST_ID_REUSED":
        words = {"asked": asked.kind.name, "method": "operation"}
        field = refused.metadata.get("field", "")
        return Refused("REQUEST_ID_REUSED", **{**refused.metadata, "field": words.get(field, field)})
    return refused
