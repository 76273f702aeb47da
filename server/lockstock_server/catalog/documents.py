"""Documents in the engine: how they are put and listed. The port is one function, bytes in and bytes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockstock.internal.v1 import documents_pb2 as seam
from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.catalog import bodies
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence

    from lockstock_server.catalog.kinds import Document, Kind

SERVICE = "/lockstock.internal.v1.Documents"
LISTING = 10_000
"""Documents of one listing, and ids of one question; the engine takes no more."""

CHANGES_BYTES = 4 << 20
"""A batch of changes is cut at about this size, half of what a message may be, in bytes."""

NEVER = (1 << 62) - 1
"""A version that no document reaches: what expects it is refused, unless its key is known."""


def put_of(kind: Kind, document: Document, expected_version: int, body: bytes = b"") -> seam.PutDocument:
    """The document as the engine takes it: its live part, and its body (given where it is written already)."""
    put = seam.PutDocument(
        kind=kind.number,
        id=kind.id_of(document),
        expected_version=expected_version,
        body=body or bodies.write(document),
    )
    if isinstance(document, pb.Sku):
        # An empty live part must still be said to be there.
        put.sku.SetInParent()
        put.sku.category = document.category
        put.sku.deduction_policy = document.deduction_policy
    elif isinstance(document, pb.Shop):
        put.shop.SetInParent()
        put.shop.deduction_policy = document.deduction_policy
    elif isinstance(document, pb.Warehouse):
        put.warehouse.state = document.state
        put.warehouse.skus.extend(document.assortment.skus)
        put.warehouse.categories.extend(document.assortment.categories)
    return put


def put_of_plan(region: str, warehouses: Sequence[str], expected_version: int) -> seam.PutDocument:
    """A route plan as the engine takes it."""
    put = seam.PutDocument(
        kind=seam.DOCUMENT_KIND_ROUTE_PLAN,
        id=region,
        expected_version=expected_version,
        body=bodies.write_plan(region, warehouses),
    )
    put.route_plan.SetInParent()
    put.route_plan.warehouses.extend(warehouses)
    return put


class Documents:
    """The engine's documents, over a call that raises Refused."""

    def __init__(self, call: Callable[[str, bytes], Awaitable[bytes]]) -> None:
        self._call = call

    async def put(self, change: seam.PutDocumentsRequest) -> seam.PutDocumentsResult:
        """Make one change: all its documents or none. Raises Refused."""
        answer = await self._call(f"{SERVICE}/PutDocuments", change.SerializeToString())
        return seam.PutDocumentsResult.FromString(answer)

    async def put_each(self, puts: Iterable[seam.PutDocument]) -> list[int | Refused]:
        """Put documents, each in a step of its own: the version, or the refusal, of each."""
        results: list[int | Refused] = []
        for chunk in chunks(puts):
            answer = await self._call(f"{SERVICE}/PutDocumentsBatch", chunk)
            for result in seam.PutDocumentsBatchResponse.FromString(answer).results:
                refused = result.HasField("refused")
                results.append(Refused.by(result.refused) if refused else result.version)
        return results

    async def known(self, request: seam.PutDocumentsRequest) -> seam.PutDocumentsResult | None:
        """Look for the first answer to a request that may be a repeated one; None: it is not known.

        Asks for what cannot be, so that nothing changes where the key is new. Raises Refused where the key
        itself is refused (of wrong form, too old, used for another body).
        """
        probe = seam.PutDocumentsRequest()
        probe.CopyFrom(request)
        del probe.documents[:]
        probe.documents.add(kind=seam.DOCUMENT_KIND_REGION, id="-", expected_version=NEVER)
        try:
            return await self.put(probe)
        except Refused as refused:
            if refused.reason.startswith("REQUEST_"):
                raise
            return None

    async def all(self, kind: seam.DocumentKind.ValueType) -> AsyncIterator[seam.Document]:
        """List every document of a kind, in the order of ids."""
        after = ""
        while True:
            documents = await self.run(kind, after, LISTING)
            for document in documents:
                yield document
            if len(documents) < LISTING:
                return
            after = documents[-1].id

    async def run(self, kind: seam.DocumentKind.ValueType, after: str, limit: int) -> Sequence[seam.Document]:
        """List up to `limit` documents with ids after this one, in order."""
        request = seam.ListDocumentsRequest(kind=kind, after=after, limit=limit)
        answer = await self._call(f"{SERVICE}/ListDocuments", request.SerializeToString())
        return seam.ListDocumentsResponse.FromString(answer).documents

    async def get(self, kind: seam.DocumentKind.ValueType, ids: Sequence[str]) -> Sequence[seam.Document]:
        """Read up to LISTING documents by id; ids of none are left out."""
        request = seam.GetDocumentsRequest(kind=kind, ids=ids)
        answer = await self._call(f"{SERVICE}/GetDocuments", request.SerializeToString())
        return seam.GetDocumentsResponse.FromString(answer).documents


def chunks(puts: Iterable[seam.PutDocument]) -> Iterator[bytes]:
    """Write puts as batches of about CHANGES_BYTES, at least one each."""
    # Messages of a repeated field written one behind the other are the message with all of them, so each is
    # written once and its size is known without asking.
    run: list[bytes] = []
    size = 0
    for put in puts:
        batch = seam.PutDocumentsBatchRequest()
        batch.changes.add().documents.append(put)
        written = batch.SerializeToString()
        if run and size + len(written) > CHANGES_BYTES:
            yield b"".join(run)
            run, size = [], 0
        run.append(written)
        size += len(written)
    if run:
        yield b"".join(run)
