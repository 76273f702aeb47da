"""A server with memory behind the client's two stubs that `import` uses: the real catalogue, and receipts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import lockstock
from fake_documents import FakeDocuments
from google.protobuf.message import Message
from google.rpc import status_pb2
from lockstock.v1 import catalog_pb2 as pb
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock
from lockstock_server import _core
from lockstock_server.catalog.documents import Documents
from lockstock_server.catalog.service import Catalog
from lockstock_server.doors import catalog as door
from lockstock_server.doors.status import Statuses
from lockstock_server.refusals import Refused

STATUSES = Statuses(_core.reasons(), 0.25)


def status(reason: str, **metadata: object) -> status_pb2.Status:
    return STATUSES.of(Refused(reason, **metadata))


class FakeCatalog:
    """The catalogue's stub over the real service, on an event loop of its own; `calls` are the requests."""

    def __init__(self) -> None:
        self.documents = FakeDocuments()
        self.calls: list[Message] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._methods = door.unary(Catalog(Documents(self.documents.call)), STATUSES)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        method = self._methods[f"/{door.SERVICE.full_name}/{name}"]
        answer = pb.ImportResponse if name.startswith("Import") else getattr(pb, f"{name}Response", None)
        message: Any = answer or getattr(pb, name.removeprefix("Get").removeprefix("Create"))

        def call(request: Message) -> Any:
            self.calls.append(request)
            coroutine: Any = method(request.SerializeToString())
            try:
                _, payload = asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
            except Refused as refused:
                raise lockstock.LockstockError(STATUSES.of(refused)) from refused
            return message.FromString(payload)

        return call


@dataclass
class FakeStock:
    """Receipts of what the catalogue knows. `cut_off_after`: so many batches are done and never answered."""

    catalog: FakeCatalog
    received: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    batches: list[list[op.Command]] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    cut_off_after: int | None = None
    skus_an_answer: int = 2_000
    busy: int = 0
    _known: set[str] = field(default_factory=set)

    def _has(self, kind: int, name: str) -> bool:
        return (kind, name) in self.catalog.documents.documents

    def BatchGetStock(self, request: stock.BatchGetStockRequest) -> stock.BatchGetStockResponse:  # noqa: N802
        self.asked.append(list(request.skus))
        if len(request.skus) > self.skus_an_answer:
            raise lockstock.LockstockError(status("TOO_MANY_LINES", field="skus", limit=self.skus_an_answer))
        answer = stock.BatchGetStockResponse()
        for sku in request.skus:
            if not self._has(1, sku):
                raise lockstock.LockstockError(status("SKU_NOT_FOUND", sku=sku))
            levels = [
                stock.StockLevel(warehouse=at, received=sum(units))
                for (name, at), units in self.received.items()
                if name == sku
            ]
            answer.stocks.add(sku=sku, levels=levels)
        return answer

    def ExecuteBatch(self, request: stock.ExecuteBatchRequest) -> stock.ExecuteBatchResponse:  # noqa: N802
        self.batches.append(list(request.commands))
        answer = stock.ExecuteBatchResponse(
            results=[self._execute(it.other_receipt) for it in request.commands]
        )
        if self.cut_off_after is not None:
            self.cut_off_after -= 1
            if self.cut_off_after < 0:
                raise lockstock.LockstockError(status_pb2.Status(code=14, message="the connection is lost"))
        return answer

    def _execute(self, receipt: op.OtherReceiptRequest) -> op.Result:
        line = receipt.lines[0]
        if receipt.cause.request_id in self._known:
            return op.Result(answer=op.Answer(replayed=True))
        if self.busy:
            self.busy -= 1
            return op.Result(status=status("OVERLOADED", limit="records"))
        if not self._has(2, line.warehouse):
            return op.Result(status=status("WAREHOUSE_NOT_FOUND", warehouse=line.warehouse))
        self._known.add(receipt.cause.request_id)
        self.received.setdefault((line.sku, line.warehouse), []).append(line.quantity)
        return op.Result(answer=op.Answer())


class FakeShop:
    """What `import` needs of a client."""

    def __init__(self) -> None:
        self.catalog = FakeCatalog()
        self.stock = FakeStock(self.catalog)

    def close(self) -> None:
        self.catalog.close()
