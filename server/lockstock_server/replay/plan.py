"""What becomes of the rows: documents in the order in which the file first names them.

An invoice's sale rows are one order, taken whole or refused; its return rows are one return; adjustment
rows are adjustments, row by row. Rows of other kinds are only counted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lockstock_server.replay.rows import Kind, Row


@dataclass(slots=True)
class Document:
    """One invoice: what it sells, what comes back, what it adjusts."""

    invoice: str
    customer: str
    country: str
    sales: list[Row] = field(default_factory=list)
    returns: list[Row] = field(default_factory=list)
    adjustments: list[Row] = field(default_factory=list)


def documents(rows: Iterable[Row]) -> list[Document]:
    """Groups rows by invoice, in the order of each invoice's first row that moves something."""
    places = {
        Kind.SALE: "sales",
        Kind.RETURN: "returns",
        Kind.INCREASE: "adjustments",
        Kind.DECREASE: "adjustments",
    }
    found: dict[str, Document] = {}
    for row in rows:
        place = places.get(row.kind)
        if place is None:
            continue
        document = found.get(row.invoice)
        if document is None:
            document = found[row.invoice] = Document(row.invoice, row.customer, row.country)
        getattr(document, place).append(row)
    return list(found.values())


@dataclass(slots=True)
class Bought:
    """Units of a SKU that one line of one reservation shipped and that have not come back."""

    reservation: str
    line: int
    left: int


@dataclass(slots=True)
class Purchases:
    """What each customer has bought and not brought back."""

    _by_customer: dict[tuple[str, str], list[Bought]] = field(default_factory=dict)

    def shipped(self, document: Document) -> None:
        """An order has shipped: its lines are numbered from 1 in the order of its rows."""
        if not document.customer:
            return
        for line, sale in enumerate(document.sales, start=1):
            bought = Bought(document.invoice, line, sale.units)
            self._by_customer.setdefault((document.customer, sale.sku), []).append(bought)

    def take_back(self, customer: str, sku: str, units: int) -> Iterator[tuple[str, int, int]]:
        """What a return of so many units goes against: (reservation, line, units), newest purchase first.

        What is not yielded was never bought, or has come back already.
        """
        purchases = self._by_customer.get((customer, sku), [])
        while units and purchases:
            newest = purchases[-1]
            taken = min(units, newest.left)
            newest.left -= taken
            units -= taken
            if newest.left == 0:
                purchases.pop()
            yield newest.reservation, newest.line, taken
