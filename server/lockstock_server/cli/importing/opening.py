"""The file of opening stock: received once for each (SKU, warehouse), however often the import is run.

What a (SKU, warehouse) has ever received is in the engine's counters, so that no run needs to remember where
another one stopped: each piece asks which of its units have come in and receives the rest. Between the
question and the receipt only a batch of a run that was killed a moment ago can get in; its receipts have the
same request ids, and are recognised.
"""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import lockstock
from google.rpc import status_pb2
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock

from lockstock_server.cli.importing.documents import ToCome
from lockstock_server.cli.importing.findings import Findings
from lockstock_server.cli.importing.pairs import PAIRS_A_CALL, Pair, Repeats, pairs, pieces, place_of
from lockstock_server.cli.importing.progress import Progress
from lockstock_server.cli.importing.sending import Lane, until_judged
from lockstock_server.cli.tables import STOCK, Table

DEPTH = 2
"""So many pieces at once: one is asked about or received while the next is read."""

PERIOD_MS = 10 * 60 * 1_000
"""Runs that begin within the same ten minutes give a receipt the same request id."""

DOCUMENT_BYTES_MAX = 64


def request_id(stamp_ms: int, sku: str, warehouse: str) -> str:
    """The UUIDv7 of a receipt, the same for the same units and moment."""
    seed = f"opening stock\0{sku}\0{warehouse}".encode()
    noise = int.from_bytes(blake2b(seed, digest_size=16).digest())
    value = stamp_ms << 80 | 0x7 << 76 | (noise >> 64 & 0xFFF) << 64 | 0b10 << 62 | noise & ((1 << 62) - 1)
    return str(uuid.UUID(int=value))


def refusal(result: op.Result) -> status_pb2.Status | None:
    """The status of a refused command."""
    return result.status if result.HasField("status") else None


@dataclass(slots=True)
class Places:
    """The warehouses that opening stock may stand in, for a preview."""

    states: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, client: lockstock.Client, to_come: ToCome) -> "Places":
        """All that there are, and those that would be created."""
        places = cls(dict.fromkeys(to_come.warehouses, catalog.WAREHOUSE_STATE_ACTIVE))
        token = ""
        while True:
            page = client.catalog.ListWarehouses(
                catalog.ListWarehousesRequest(page_size=1_000, page_token=token)
            )
            places.states |= {it.warehouse: it.state for it in page.warehouses}
            token = page.next_page_token
            if not token:
                return places

    def refusal(self, warehouse: str) -> tuple[str, str] | None:
        """The reason and the words with which a receipt there would be refused."""
        state = self.states.get(warehouse)
        if state is None:
            return "WAREHOUSE_NOT_FOUND", f"there is no warehouse {warehouse}"
        if state == catalog.WAREHOUSE_STATE_CLOSED:
            return "WAREHOUSE_CLOSED", f"warehouse {warehouse} is closed"
        return None


@dataclass(slots=True)
class Judged:
    """What became of one pair."""

    outcome: str
    reason: str = ""
    message: str = ""
    received: int = 0


class Opening:
    """The import of one file of opening stock."""

    def __init__(
        self,
        client: lockstock.Client,
        path: Path,
        findings: Findings,
        to_come: ToCome,
        *,
        preview: bool,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._path = path
        self._findings = findings
        self._to_come = to_come
        self._preview = preview
        self._places = Places.of(client, to_come) if preview else Places()
        self._stamp_ms = int(now() * 1_000) // PERIOD_MS * PERIOD_MS
        name = path.name.encode()[:DOCUMENT_BYTES_MAX].decode(errors="ignore")
        self._cause = op.Cause(reason="opening stock", document=name)

    def run(self, progress: Progress) -> None:
        """Receives every pair. Raises LockstockError, TableError."""
        repeats = Repeats()
        table = Table(self._path, STOCK)
        with progress.of(table, "reading") as bar:
            for at, (_, row) in enumerate(table, start=1):
                cells = place_of(row)
                repeats.note(*cells)
                if at % PAIRS_A_CALL == 0:
                    bar.advance(f"{at:,} rows")
        table = Table(self._path, STOCK)
        with ThreadPoolExecutor(DEPTH) as pool, progress.of(table) as bar:
            lane = Lane(pool, DEPTH, self._judge)
            for piece in pieces(pairs(table, repeats, self._refuse)):
                for sent, judged in lane.send(piece):
                    self._note(sent, judged)
                bar.advance(self._findings.outcomes("stock"))
            for sent, judged in lane.rest():
                self._note(sent, judged)
                bar.advance(self._findings.outcomes("stock"))

    def _refuse(self, number: int, sku: str, reason: str, message: str) -> None:
        self._findings.counts["stock refused"] += 1
        self._findings.refused(self._path.name, number, sku, reason, message)

    def _note(self, piece: list[Pair], judged: list[Judged]) -> None:
        for pair, it in zip(piece, judged, strict=True):
            if it.outcome == "refused":
                self._refuse(pair.number, pair.sku, it.reason, it.message)
                continue
            self._findings.counts[f"stock {it.outcome}"] += 1
            if self._preview and it.outcome == "unchanged" and it.received != pair.quantity:
                where = f"received in {pair.warehouse}"
                received, asked = str(it.received), str(pair.quantity)
                self._findings.differs(self._path.name, pair.number, pair.sku, where, received, asked)

    def _judge(self, piece: list[Pair]) -> list[Judged]:
        """What becomes of each pair of a piece: what has never received units receives them now."""
        received, unknown = self._received(list(dict.fromkeys(pair.sku for pair in piece)))
        judged: dict[int, Judged] = {}
        wanted: list[tuple[int, Pair]] = []
        for at, pair in enumerate(piece):
            units = received.get((pair.sku, pair.warehouse), 0)
            if pair.sku in unknown and not (self._preview and pair.sku in self._to_come.skus):
                judged[at] = Judged("refused", "SKU_NOT_FOUND", f"there is no SKU {pair.sku}")
            elif units:
                judged[at] = Judged("unchanged", received=units)
            else:
                wanted.append((at, pair))
        receive = self._would_receive if self._preview else self._receive
        for (at, _), it in zip(wanted, receive([pair for _, pair in wanted]), strict=True):
            judged[at] = it
        return [judged[at] for at in range(len(piece))]

    def _received(self, skus: list[str]) -> tuple[dict[tuple[str, str], int], set[str]]:
        """What each (SKU, warehouse) has ever received, and the SKUs that there are none of."""
        try:
            stocks = self._client.stock.BatchGetStock(stock.BatchGetStockRequest(skus=skus)).stocks
        except lockstock.LockstockError as error:
            if error.reason == "SKU_NOT_FOUND":
                unknown = self._unknown(skus)
                known = [sku for sku in skus if sku not in unknown]
                return (self._received(known)[0] if known else {}), unknown
            if error.reason == "TOO_MANY_LINES" and len(skus) > 1:
                # Too many warehouses hold them for one answer.
                half = len(skus) // 2
                first, first_unknown = self._received(skus[:half])
                second, second_unknown = self._received(skus[half:])
                return first | second, first_unknown | second_unknown
            raise
        found = {
            (it.sku, level.warehouse): level.received
            for it in stocks
            for level in it.levels
            if level.received
        }
        return found, set()

    def _unknown(self, skus: list[str]) -> set[str]:
        # The preview of an import is the one question that tells of many SKUs whether they are there.
        rows = [catalog.Sku(sku=sku) for sku in skus]
        answer = self._client.catalog.ImportSkus(catalog.ImportSkusRequest(skus=rows, validate_only=True))
        return {row.id for row in answer.rows if row.HasField("created")}

    def _would_receive(self, pairs: list[Pair]) -> list[Judged]:
        judged = []
        for pair in pairs:
            refused = self._places.refusal(pair.warehouse)
            judged.append(Judged("refused", *refused) if refused else Judged("created"))
        return judged

    def _receive(self, pairs: list[Pair]) -> list[Judged]:
        def send(commands: list[op.Command]) -> list[op.Result]:
            if not commands:
                return []
            return list(self._client.stock.ExecuteBatch(stock.ExecuteBatchRequest(commands=commands)).results)

        return [self._told(it) for it in until_judged([self._command(it) for it in pairs], send, refusal)]

    def _command(self, pair: Pair) -> op.Command:
        command = op.Command()
        command.other_receipt.cause.CopyFrom(self._cause)
        command.other_receipt.cause.request_id = request_id(self._stamp_ms, pair.sku, pair.warehouse)
        command.other_receipt.lines.add(sku=pair.sku, warehouse=pair.warehouse, quantity=pair.quantity)
        return command

    @staticmethod
    def _told(result: op.Result) -> Judged:
        if result.HasField("status"):
            error = lockstock.LockstockError.from_status(result.status)
            return Judged("refused", error.reason, error.message)
        return Judged("unchanged" if result.answer.replayed else "created")
