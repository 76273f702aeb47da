"""Drives a shop's documents through a running server, strictly in the file's order.

Commands go in batches, each command a step of its own; a batch is sent before anything that must know what
the batch did (a return asks what was bought). So the outcome is the same however long a batch is.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import lockstock
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock

from lockstock_server.replay import shop
from lockstock_server.replay.plan import Document, Purchases, documents
from lockstock_server.replay.report import Report
from lockstock_server.replay.rows import Kind, Row

LINES_A_BATCH = 4_000
"""A batch is sent when its commands have so many lines: some hundreds of kilobytes."""
ROWS_AN_IMPORT = 5_000
LINES_A_RECEIPT = 2_000

T = TypeVar("T")


class ReplayError(Exception):
    """The server did what a replay cannot go on from; the sentence says what."""


@dataclass(slots=True)
class Batch:
    """Commands that wait to be sent, each with what its result means."""

    commands: list[op.Command] = field(default_factory=list)
    meanings: list[Callable[[op.Result], None]] = field(default_factory=list)
    lines: int = 0

    def add(self, command: op.Command, lines: int, meaning: Callable[[op.Result], None]) -> None:
        """One more command."""
        self.commands.append(command)
        self.meanings.append(meaning)
        self.lines += lines


def reason_of(result: op.Result) -> str | None:
    """Why a command was refused; None if it was not."""
    if result.WhichOneof("result") == "answer":
        return None
    return lockstock.LockstockError.from_status(result.status).reason


def _needed(result: op.Result, what: str) -> None:
    reason = reason_of(result)
    if reason is not None:
        raise ReplayError(
            f"{what} was refused with {reason}: is the server empty, and the only one who uses it?"
        )


def pieces(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items in lists of at most `size`."""
    rest = iter(items)
    while piece := list(islice(rest, size)):
        yield piece


class Drive:
    """One replay against one server. `front` serves the catalogue, `lane` the stock."""

    def __init__(
        self,
        front: lockstock.Client,
        lane: lockstock.Client,
        report: Report,
        progress: Callable[[str, int, int], None] = lambda _what, _done, _of: None,
    ) -> None:
        self._front = front
        self._lane = lane
        self._report = report
        self._progress = progress
        self._batch = Batch()
        self._purchases = Purchases()

    def run(self, rows: list[Row], opening: Mapping[str, int]) -> None:
        """Counts, sets up, sells, takes back, adjusts, and asks what is on hand."""
        began = time.monotonic()
        for row in rows:
            self._report.count(row)
        self._set_up(rows, opening)
        found = documents(rows)
        for place, document in enumerate(found, start=1):
            self._document(document)
            if place % 200 == 0 or place == len(found):
                self._progress("documents", place, len(found))
        self._send()
        self._report.on_hand = self._on_hand(sorted(set(shop.skus(rows)) | set(opening)))
        self._report.seconds = time.monotonic() - began

    # --- the catalogue and the opening stock ---------------------------------------------------------

    def _set_up(self, rows: list[Row], opening: Mapping[str, int]) -> None:
        front = self._front.catalog
        self._imported(front.ImportRegions(catalog.ImportRegionsRequest(regions=shop.regions(rows))))
        self._imported(front.ImportWarehouses(catalog.ImportWarehousesRequest(warehouses=shop.warehouses())))
        names = sorted(set(shop.skus(rows)) | set(opening))
        for piece in pieces(names, ROWS_AN_IMPORT):
            request = catalog.ImportSkusRequest(skus=[catalog.Sku(sku=sku) for sku in piece])
            self._imported(front.ImportSkus(request))
        for lines in pieces(shop.spread(opening), LINES_A_RECEIPT):
            stock_lines = [op.StockLine(sku=sku, warehouse=at, quantity=units) for sku, at, units in lines]
            cause = op.Cause(reason="opening stock", document="replay")
            command = op.Command(other_receipt=op.OtherReceiptRequest(cause=cause, lines=stock_lines))
            self._batch.add(command, len(lines), lambda result: _needed(result, "Opening stock"))
        self._send()
        self._report.opening = sum(opening.values())

    @staticmethod
    def _imported(response: catalog.ImportResponse) -> None:
        for row in response.rows:
            if row.WhichOneof("result") == "refused":
                raise ReplayError(f"The catalogue refused {row.id}: {row.refused.message}.")

    # --- the documents ------------------------------------------------------------------------------

    def _document(self, document: Document) -> None:
        if document.sales:
            self._sell(document)
        for row in document.adjustments:
            self._adjust(document, row)
        if document.returns:
            self._send()
            self._take_back(document)
        if self._batch.lines >= LINES_A_BATCH:
            self._send()

    def _sell(self, document: Document) -> None:
        """Lock, deduct, ship: the last two are refused by themselves where the first was."""
        cause = op.Cause(document=document.invoice)
        order = op.LockRequest(
            cause=cause,
            reservation_id=document.invoice,
            lines=[op.OrderLine(sku=row.sku, quantity=row.units) for row in document.sales],
            region=document.country,
        )
        locked = False

        def lock(result: op.Result) -> None:
            nonlocal locked
            reason = reason_of(result)
            if reason not in {None, "INSUFFICIENT_STOCK"}:
                raise ReplayError(
                    f"Invoice {document.invoice} was refused with {reason}, which is not for want of stock."
                )
            locked = reason is None
            self._report.order(document.sales, reason)
            if locked:
                self._purchases.shipped(document)

        def follow(result: op.Result) -> None:
            if locked:
                _needed(result, f"Paying or shipping invoice {document.invoice}")

        lines = len(document.sales)
        self._batch.add(op.Command(lock=order), lines, lock)
        self._batch.add(
            op.Command(deduct=op.DeductRequest(cause=cause, reservation_id=document.invoice)), lines, follow
        )
        self._batch.add(
            op.Command(ship=op.ShipRequest(cause=cause, reservation_id=document.invoice)), lines, follow
        )

    def _adjust(self, document: Document, row: Row) -> None:
        at = shop.warehouses_for(document.country)[0]
        lines = [op.StockLine(sku=row.sku, warehouse=at, quantity=row.units)]
        cause = op.Cause(reason="adjustment", document=document.invoice)
        command = (
            op.Command(increase=op.IncreaseRequest(cause=cause, lines=lines))
            if row.kind is Kind.INCREASE
            else op.Command(decrease=op.DecreaseRequest(cause=cause, lines=lines))
        )
        self._batch.add(command, 1, lambda result: self._report.adjusted(row, reason_of(result)))

    def _take_back(self, document: Document) -> None:
        at = shop.warehouses_for(document.country)[0]
        for row in document.returns:
            units = 0
            for reservation, line, taken in self._purchases.take_back(document.customer, row.sku, row.units):
                units += taken
                back = op.ReturnLine(line=line, quantity=taken, disposition=op.DISPOSITION_SELLABLE)
                request = op.ReturnRequest(
                    cause=op.Cause(document=document.invoice),
                    reservation_id=reservation,
                    warehouse=at,
                    lines=[back],
                )
                self._return(request, f"The return of {row.sku} on {document.invoice}")
            self._report.returned_row(row, units)

    def _return(self, request: op.ReturnRequest, what: str) -> None:
        command = op.Command()
        # A field whose name is a word of the language.
        getattr(command, "return").CopyFrom(request)
        self._batch.add(command, 1, lambda result: _needed(result, what))

    # --- the server ---------------------------------------------------------------------------------

    def _send(self) -> None:
        batch, self._batch = self._batch, Batch()
        if not batch.commands:
            return
        response = self._lane.stock.ExecuteBatch(stock.ExecuteBatchRequest(commands=batch.commands))
        for result, meaning in zip(response.results, batch.meanings, strict=True):
            meaning(result)

    def _on_hand(self, names: list[str]) -> int:
        on_hand = 0
        for place, sku in enumerate(names, start=1):
            levels = self._lane.stock.GetStock(stock.GetStockRequest(sku=sku)).levels
            on_hand += sum(level.on_hand for level in levels)
            if place % 500 == 0 or place == len(names):
                self._progress("stock read", place, len(names))
        return on_hand
