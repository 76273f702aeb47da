"""The naive twin of a replay: dicts, fed the invoices in the file's order, each order whole or refused.

Written from docs/replay.md alone; it shares no code with the server or with lockstock_server.replay.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations

from support.retail import Line

HOME = {"United Kingdom", "Channel Islands"}
EUROPE = {
    "Austria", "Belgium", "Cyprus", "Denmark", "EIRE", "Finland", "France", "Germany", "Greece", "Iceland", "Italy",
    "Lithuania", "Malta", "Netherlands", "Norway", "Poland", "Portugal", "Spain", "Sweden", "Switzerland",
}  # fmt: skip
SHARES = [("FRONT-HOME", 10), ("LOCAL-HOME", 40), ("REGIONAL-EUROPE", 15)]


def serving(country: str) -> list[str]:
    if country in HOME:
        return ["FRONT-HOME", "LOCAL-HOME", "CENTRAL"]
    return ["REGIONAL-EUROPE", "CENTRAL"] if country in EUROPE else ["CENTRAL"]


@dataclass
class Twin:
    """What should have happened."""

    stock: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    opening: int = 0
    sold: int = 0
    returned: int = 0
    increased: int = 0
    decreased: int = 0
    orders: int = 0
    orders_refused: int = 0
    sale_rows_refused: int = 0
    sale_units_refused: int = 0
    decrease_rows_refused: int = 0
    without_sale_rows: int = 0
    without_sale_units: int = 0
    bought: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    def open_with(self, lines: list[Line], percent: int) -> None:
        sells: dict[str, int] = defaultdict(int)
        for line in lines:
            if line.kind == "SALE":
                sells[line.sku] += line.units
        for sku, units in sells.items():
            opening = (units * percent + 99) // 100
            rest = opening
            for warehouse, share in SHARES:
                self.stock[sku, warehouse] = opening * share // 100
                rest -= opening * share // 100
            self.stock[sku, "CENTRAL"] = rest
            self.opening += opening

    def feed(self, lines: list[Line]) -> None:
        moving = [line for line in lines if line.kind in {"SALE", "RETURN", "INCREASE", "DECREASE"}]
        invoices: dict[str, list[Line]] = {}
        for line in moving:
            invoices.setdefault(line.invoice, []).append(line)
        for rows in invoices.values():
            sales = [line for line in rows if line.kind == "SALE"]
            if sales:
                self._sell(sales, rows[0])
            for line in rows:
                if line.kind in {"INCREASE", "DECREASE"}:
                    self._adjust(line, rows[0])
            for line in rows:
                if line.kind == "RETURN":
                    self._take_back(line, rows[0])
        for line in lines:
            if line.kind == "RETURN_WITHOUT_CUSTOMER":
                self.without_sale_rows += 1
                self.without_sale_units += line.units

    def _sell(self, sales: list[Line], head: Line) -> None:
        self.orders += 1
        wanted: dict[str, int] = defaultdict(int)
        for line in sales:
            wanted[line.sku] += line.units
        places = serving(head.country)
        for parcels in range(1, len(places) + 1):
            for chosen in combinations(places, parcels):
                if all(sum(self.stock[sku, at] for at in chosen) >= units for sku, units in wanted.items()):
                    self._ship(wanted, chosen)
                    for line in sales:
                        self.sold += line.units
                        if head.customer:
                            self.bought[head.customer, line.sku] += line.units
                    return
        self.orders_refused += 1
        self.sale_rows_refused += len(sales)
        self.sale_units_refused += sum(line.units for line in sales)

    def _ship(self, wanted: dict[str, int], chosen: tuple[str, ...]) -> None:
        for sku, units in wanted.items():
            rest = units
            for at in chosen:
                taken = min(rest, self.stock[sku, at])
                self.stock[sku, at] -= taken
                rest -= taken

    def _adjust(self, line: Line, head: Line) -> None:
        at = serving(head.country)[0]
        if line.kind == "INCREASE":
            self.stock[line.sku, at] += line.units
            self.increased += line.units
        elif self.stock[line.sku, at] >= line.units:
            self.stock[line.sku, at] -= line.units
            self.decreased += line.units
        else:
            self.decrease_rows_refused += 1

    def _take_back(self, line: Line, head: Line) -> None:
        units = min(line.units, self.bought[head.customer, line.sku])
        self.bought[head.customer, line.sku] -= units
        self.stock[line.sku, serving(head.country)[0]] += units
        self.returned += units
        if units < line.units:
            self.without_sale_rows += 1
            self.without_sale_units += line.units - units

    @property
    def on_hand(self) -> int:
        return sum(self.stock.values())
