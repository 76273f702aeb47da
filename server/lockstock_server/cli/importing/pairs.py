"""The rows of a file of opening stock as pairs, each (SKU, warehouse) once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from lockstock_server.catalog import form
from lockstock_server.cli.importing.documents import CELL_INVALID
from lockstock_server.cli.tables import StockRow, Table, Unreadable
from lockstock_server.refusals import Refused

PAIRS_A_CALL = 2_000
"""As many SKUs as one question for stock takes."""

QUANTITY_MAX = 10**12

SEEN_BITS = 1 << 27
"""16 MiB tell which rows may be of one (SKU, warehouse), whatever the length of the file."""


class Pair(NamedTuple):
    """What is to be received of one SKU in one warehouse; `number` is its first row."""

    number: int
    sku: str
    warehouse: str
    quantity: int


@dataclass(slots=True)
class Sum:
    """The rows of one (SKU, warehouse) that stands in several: the first that can be read, and what they say."""

    number: int = 0
    quantity: int = 0
    spoiled: bool = False


def place_of(row: StockRow | Unreadable) -> tuple[str, str]:
    """The SKU and the warehouse that a row names."""
    if isinstance(row, Unreadable):
        return row.cells.get("sku", ""), row.cells.get("warehouse", "")
    return row.sku, row.warehouse


class Repeats:
    """Which (SKU, warehouse) may stand in several rows: all that do, and by chance a few that do not."""

    def __init__(self) -> None:
        self._seen = bytearray(SEEN_BITS // 8)
        self._repeated: set[int] = set()

    def note(self, sku: str, warehouse: str) -> None:
        """Takes note of a row."""
        at = hash((sku, warehouse)) % SEEN_BITS
        byte, bit = at >> 3, 1 << (at & 7)
        if self._seen[byte] & bit:
            self._repeated.add(at)
        else:
            self._seen[byte] |= bit

    def may_be(self, sku: str, warehouse: str) -> bool:
        """Whether it may stand in several rows."""
        return hash((sku, warehouse)) % SEEN_BITS in self._repeated


def pairs(
    table: Table[StockRow], repeats: Repeats, refuse: Callable[[int, str, str, str], None]
) -> Iterator[Pair]:
    """Every pair once: as its row comes, or where it stands in several rows, summed, after all others."""
    sums: dict[tuple[str, str], Sum] = {}
    for number, row in table:
        sku, warehouse = place_of(row)
        fault = fault_of(row)
        if fault is not None:
            refuse(number, sku, *fault)
        if repeats.may_be(sku, warehouse):
            whole = sums.setdefault((sku, warehouse), Sum())
            if fault is not None or isinstance(row, Unreadable):
                whole.spoiled = True
            else:
                whole.number = whole.number or number
                whole.quantity += row.quantity
        elif isinstance(row, StockRow) and fault is None:
            yield Pair(number, sku, warehouse, row.quantity)
    for (sku, warehouse), whole in sums.items():
        if whole.spoiled and whole.number:
            # Received without the row that is wrong, they could never be mended: what has received units
            # is left alone.
            why = f"it is received together with another row of {sku} in {warehouse}, which is refused"
            refuse(whole.number, sku, CELL_INVALID, why)
        elif whole.quantity > QUANTITY_MAX:
            refuse(whole.number, sku, *too_much("the rows of it", whole.quantity))
        elif whole.number:
            yield Pair(whole.number, sku, warehouse, whole.quantity)


def too_much(field_name: str, quantity: int) -> tuple[str, str]:
    """The refusal of a quantity out of bounds."""
    return "QUANTITY_OUT_OF_RANGE", f"{field_name}: {quantity} is not 1 to {QUANTITY_MAX}"


def fault_of(row: StockRow | Unreadable) -> tuple[str, str] | None:
    """Why a row cannot be sent: the reason and its words."""
    if isinstance(row, Unreadable):
        return CELL_INVALID, row.why
    for name, value in (("sku", row.sku), ("warehouse", row.warehouse)):
        try:
            form.check_id(name, value)
        except (Refused, UnicodeEncodeError) as wrong:
            return (wrong.reason, str(wrong)) if isinstance(wrong, Refused) else (CELL_INVALID, str(wrong))
    if not 1 <= row.quantity <= QUANTITY_MAX:
        return too_much("quantity", row.quantity)
    return None


def pieces(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    """Cuts pairs into pieces of PAIRS_A_CALL."""
    piece: list[Pair] = []
    for pair in pairs:
        piece.append(pair)
        if len(piece) == PAIRS_A_CALL:
            yield piece
            piece = []
    if piece:
        yield piece
