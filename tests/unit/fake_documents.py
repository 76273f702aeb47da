"""An engine's documents with memory: versions, atomic changes and repeated keys, as the real one has them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from google.rpc import error_details_pb2
from lockstock.internal.v1 import documents_pb2 as seam
from lockstock_server.refusals import Refused

Key = tuple[int, str]


@dataclass
class FakeDocuments:
    """Speaks `/lockstock.internal.v1.Documents/...`.

    `refuse` are ids whose changes are refused and why, `away` is why every call is;
    where it is `slow`, other calls get in between.
    """

    sequence: int = 0
    documents: dict[Key, seam.Document] = field(default_factory=dict)
    changes: list[seam.PutDocumentsRequest] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    away: str = ""
    calls: list[str] = field(default_factory=list)
    listed: list[int] = field(default_factory=list)
    slow: bool = False
    _known: dict[str, tuple[tuple[str, bytes, tuple[str, ...]], seam.PutDocumentsResult]] = field(
        default_factory=dict
    )

    async def call(self, method: str, request: bytes) -> bytes:
        self.calls.append(method.rpartition("/")[2])
        if self.away:
            raise Refused(self.away)
        if self.slow:
            await asyncio.sleep(0)
        match method.rpartition("/")[2]:
            case "PutDocuments":
                return self._put(seam.PutDocumentsRequest.FromString(request)).SerializeToString()
            case "PutDocumentsBatch":
                return self._batch(seam.PutDocumentsBatchRequest.FromString(request)).SerializeToString()
            case "ListDocuments":
                return self._list(seam.ListDocumentsRequest.FromString(request)).SerializeToString()
            case "GetDocuments":
                return self._get(seam.GetDocumentsRequest.FromString(request)).SerializeToString()
            case other:
                raise AssertionError(other)

    def plan(self, region: str) -> list[str]:
        found = self.documents.get((seam.DOCUMENT_KIND_ROUTE_PLAN, region))
        if found is None:
            return []
        puts = [
            put
            for change in self.changes
            for put in change.documents
            if put.kind == found.kind and put.id == region
        ]
        return list(puts[-1].route_plan.warehouses)

    def _put(self, change: seam.PutDocumentsRequest) -> seam.PutDocumentsResult:
        body = (change.method, change.asked, tuple(change.update_mask))
        if change.request_id in self._known:
            first, result = self._known[change.request_id]
            if first != body:
                fields = zip(("method", "asked", "update_mask"), first, body, strict=True)
                differs = next(name for name, one, other in fields if one != other)
                raise Refused("REQUEST_ID_REUSED", field=differs, sequence=result.version)
            again = seam.PutDocumentsResult()
            again.CopyFrom(result)
            again.replayed = True
            again.documents.extend(
                seam.Document(id=put.id, version=result.version, body=put.body, kind=put.kind)
                for put in self.changes[self._at(result.version)].documents
            )
            return again
        for put in change.documents:
            if put.id in self.refuse:
                raise Refused(self.refuse[put.id])
            version = self.documents[put.kind, put.id].version if (put.kind, put.id) in self.documents else 0
            if put.expected_version not in {version, -1}:
                reason = "STALE_VERSION" if put.expected_version else "DOCUMENT_EXISTS"
                raise Refused(reason, id=put.id)
        self.sequence += 1
        self.changes.append(change)
        for put in change.documents:
            self.documents[put.kind, put.id] = seam.Document(
                id=put.id, version=self.sequence, body=put.body, kind=put.kind
            )
        result = seam.PutDocumentsResult(version=self.sequence)
        if change.request_id:
            self._known[change.request_id] = (body, result)
        return result

    def _at(self, version: int) -> int:
        return version - 1

    def _batch(self, batch: seam.PutDocumentsBatchRequest) -> seam.PutDocumentsBatchResponse:
        response = seam.PutDocumentsBatchResponse()
        for change in batch.changes:
            try:
                response.results.append(self._put(change))
            except Refused as refused:
                status = response.results.add().refused
                status.message = refused.reason
                info = error_details_pb2.ErrorInfo(reason=refused.reason, metadata=refused.metadata)
                status.details.add().Pack(info)
        return response

    def _list(self, request: seam.ListDocumentsRequest) -> seam.ListDocumentsResponse:
        self.listed.append(request.kind)
        ids = sorted(name for kind, name in self.documents if kind == request.kind and name > request.after)
        documents = [self.documents[request.kind, name] for name in ids[: request.limit]]
        return seam.ListDocumentsResponse(sequence=self.sequence, documents=documents)

    def _get(self, request: seam.GetDocumentsRequest) -> seam.GetDocumentsResponse:
        if not request.ids:
            raise Refused("FIELD_REQUIRED", field="ids")
        asked = [(int(request.kind), name) for name in request.ids]
        documents = [self.documents[key] for key in asked if key in self.documents]
        return seam.GetDocumentsResponse(sequence=self.sequence, documents=documents)
