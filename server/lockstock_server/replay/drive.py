"""Drives a shop's documents through a running server, strictly in the file's order."""

import time
from collections.abc import Callable, Mapping

import lockstock
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock

from lockstock_server.replay import shop
from lockstock_server.replay.plan import Document, Purchases, documents
from lockstock_server.replay.report import Report
from lockstock_server.replay.rows import Kind, Row
from lockstock_server.replay.ways import Back, ReplayError, Way, needed, pieces, reason_of

ROWS_AN_IMPORT = 5_000
LINES_A_RECEIPT = 2_000
SKUS_A_READ = 2_000


class Drive:
    """One replay against one server. `front` serves the catalogue, `lane` the stock, `way` takes the documents."""

    def __init__(
        self,
        front: lockstock.Client,
        lane: lockstock.Client,
        way: Way,
        report: Report,
        progress: Callable[[str, int, int], None] = lambda _what, _done, _of: None,
    ) -> None:
        self._front = front
        self._lane = lane
        self._way = way
        self._report = report
        self._progress = progress
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
        self._way.settle()
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
            self._way.command(command, len(lines), lambda result: needed(result, "Opening stock"))
        self._way.settle()
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
            # What was bought is known when the orders before are answered.
            self._way.settle()
            self._take_back(document)

    def _sell(self, document: Document) -> None:
        def taken(reason: str | None) -> None:
            self._report.order(document.sales, reason)
            if reason is None:
                self._purchases.shipped(document)

        self._way.sell(document, taken)

    def _adjust(self, document: Document, row: Row) -> None:
        at = shop.warehouses_for(document.country)[0]
        lines = [op.StockLine(sku=row.sku, warehouse=at, quantity=row.units)]
        cause = op.Cause(reason="adjustment", document=document.invoice)
        command = (
            op.Command(increase=op.IncreaseRequest(cause=cause, lines=lines))
            if row.kind is Kind.INCREASE
            else op.Command(decrease=op.DecreaseRequest(cause=cause, lines=lines))
        )
        self._way.command(command, 1, lambda result: self._report.adjusted(row, reason_of(result)))

    def _take_back(self, document: Document) -> None:
        at = shop.warehouses_for(document.country)[0]
        for row in document.returns:
            units = 0
            for order, line, taken in self._purchases.take_back(document.customer, row.sku, row.units):
                units += taken
                self._way.take_back(Back(order, line, taken, at, document.invoice))
            self._report.returned_row(row, units)

    # --- the server ---------------------------------------------------------------------------------

    def _on_hand(self, names: list[str]) -> int:
        on_hand, read = 0, 0
        for piece in pieces(names, SKUS_A_READ):
            for found in self._lane.stock.BatchGetStock(stock.BatchGetStockRequest(skus=piece)).stocks:
                on_hand += sum(level.on_hand for level in found.levels)
            read += len(piece)
            self._progress("stock read", read, len(names))
        return on_hand
