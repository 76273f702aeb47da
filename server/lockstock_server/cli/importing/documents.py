"""Files of master data: regions, warehouses, channels, SKUs."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import lockstock
from google.rpc import status_pb2
from lockstock.v1 import catalog_pb2 as catalog

from lockstock_server.cli.importing.findings import Findings
from lockstock_server.cli.importing.progress import Progress
from lockstock_server.cli.importing.sending import Lane, until_judged
from lockstock_server.cli.tables import CHANNELS, REGIONS, SKUS, WAREHOUSES, Layout, Table, Unreadable

ROWS_A_CALL = 8_190
"""The most an import takes."""

PIECE_BYTES = 4 << 20
"""A piece is cut at about this size, half of what a message may be."""

CELL_INVALID = "CELL_INVALID"
"""The reason of a row that is never sent: a cell is not what its column holds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind is imported. `depth`: so many pieces at once; rows that refer to others go one by one."""

    word: str
    layout: Layout[Any]
    request: Callable[..., Any]
    method: str
    id_field: str
    depth: int = 1
    assumes: tuple[str, ...] = ()


KINDS = (
    Kind("regions", REGIONS, catalog.ImportRegionsRequest, "ImportRegions", "region", assumes=("regions",)),
    Kind(
        "warehouses",
        WAREHOUSES,
        catalog.ImportWarehousesRequest,
        "ImportWarehouses",
        "warehouse",
        assumes=("regions", "warehouses"),
    ),
    Kind("channels", CHANNELS, catalog.ImportChannelsRequest, "ImportChannels", "channel"),
    Kind("skus", SKUS, catalog.ImportSkusRequest, "ImportSkus", "sku", depth=2),
)


class Hashes:
    """Ids in eight bytes each. That two of them meet by chance would make one line of a preview wrong."""

    def __init__(self) -> None:
        self._numbers = array("q")
        self._sorted = True

    def add(self, text: str) -> None:
        """Adds an id."""
        self._numbers.append(hash(text))
        self._sorted = False

    def __contains__(self, text: str) -> bool:
        if not self._sorted:
            self._numbers = array("q", sorted(self._numbers))
            self._sorted = True
        number = hash(text)
        at = bisect_left(self._numbers, number)
        return at < len(self._numbers) and self._numbers[at] == number


@dataclass(slots=True)
class ToCome:
    """What the files of one preview would create, for the files behind them that refer to it."""

    regions: list[str] = field(default_factory=list)
    warehouses: list[str] = field(default_factory=list)
    skus: Hashes = field(default_factory=Hashes)

    def note(self, word: str, row_id: str) -> None:
        """Takes note of a document that would be created."""
        match word:
            case "regions":
                self.regions.append(row_id)
            case "warehouses":
                self.warehouses.append(row_id)
            case "skus":
                self.skus.add(row_id)
            case _:
                pass


Numbered = tuple[int, Any]
"""A row with its number in the file."""


def pieces(rows: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    """Cuts rows into pieces that one call takes."""
    piece: list[Numbered] = []
    size = 0
    for number, row in rows:
        weight = row.ByteSize()
        if piece and (len(piece) == ROWS_A_CALL or size + weight > PIECE_BYTES):
            yield piece
            piece, size = [], 0
        piece.append((number, row))
        size += weight
    if piece:
        yield piece


def refusal(answer: catalog.ImportRow) -> status_pb2.Status | None:
    """The status of a refused row."""
    return answer.refused if answer.HasField("refused") else None


class Documents:
    """The import of one file of master data."""

    def __init__(
        self, client: lockstock.Client, kind: Kind, findings: Findings, to_come: ToCome, *, preview: bool
    ) -> None:
        self._method = getattr(client.catalog, kind.method)
        self._kind = kind
        self._findings = findings
        self._to_come = to_come
        self._preview = preview

    def run(self, table: Table[Any], progress: Progress) -> None:
        """Sends every row. Raises LockstockError, TableError."""
        with ThreadPoolExecutor(self._kind.depth) as pool, progress.of(table) as bar:
            lane = Lane(pool, self._kind.depth, self._send)
            for piece in pieces(self._readable(table)):
                for sent, answers in lane.send(piece):
                    self._note(table.path.name, sent, answers)
                bar.advance(self._findings.outcomes(self._kind.word))
            for sent, answers in lane.rest():
                self._note(table.path.name, sent, answers)
                bar.advance(self._findings.outcomes(self._kind.word))

    def _readable(self, table: Table[Any]) -> Iterator[Numbered]:
        for number, row in table:
            if isinstance(row, Unreadable):
                row_id = row.cells.get(self._kind.id_field, "")
                self._findings.refused(table.path.name, number, row_id, CELL_INVALID, row.why)
                self._findings.counts[f"{self._kind.word} refused"] += 1
            else:
                yield number, row

    def _send(self, piece: list[Numbered]) -> list[catalog.ImportRow]:
        given: dict[str, Any] = {}
        if self._preview:
            given = {f"assumed_{word}": getattr(self._to_come, word) for word in self._kind.assumes}
            given["validate_only"] = True

        def send(rows: list[Any]) -> list[catalog.ImportRow]:
            return list(self._method(self._kind.request(**{self._kind.word: rows}, **given)).rows)

        return until_judged([row for _, row in piece], send, refusal)

    def _note(self, file: str, piece: list[Numbered], answers: list[catalog.ImportRow]) -> None:
        for (number, _), answer in zip(piece, answers, strict=True):
            outcome = answer.WhichOneof("result") or ""
            self._findings.counts[f"{self._kind.word} {outcome}"] += 1
            if outcome == "refused":
                error = lockstock.LockstockError.from_status(answer.refused)
                self._findings.refused(file, number, answer.id, error.reason, error.message)
            elif self._preview and outcome == "created":
                self._to_come.note(self._kind.word, answer.id)
            for change in answer.changes:
                self._findings.differs(file, number, answer.id, change.field, change.old, change.new)
