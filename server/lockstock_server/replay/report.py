"""What a replay did, added up: every row in one kind, every unit accounted for."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from lockstock_server.replay.rows import NONSENSE, Kind, Row

LISTED_MAX = 50
"""How many rows that make no sense are listed with their numbers; all are counted."""


@dataclass(slots=True)
class Tally:
    """Rows of one kind and what became of them, in rows and in units."""

    rows: int = 0
    units: int = 0
    done_rows: int = 0
    done_units: int = 0
    refused_rows: int = 0
    refused_units: int = 0

    def balances(self) -> bool:
        """Whether every row and every unit was done or refused."""
        return (
            self.rows == self.done_rows + self.refused_rows
            and self.units == self.done_units + self.refused_units
        )


@dataclass(slots=True)
class Report:
    """The figures of a replay."""

    rows: int = 0
    kinds: dict[Kind, Tally] = field(default_factory=lambda: {kind: Tally() for kind in Kind})
    return_without_sale_rows: int = 0
    """Return rows of which at least one unit had no sale, those without a customer included."""
    return_without_sale_units: int = 0
    orders: int = 0
    orders_refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Refusals of orders and adjustments by reason."""
    nonsense: list[tuple[int, str]] = field(default_factory=list)
    """(row number, kind) of the first rows that make no sense."""
    opening: int = 0
    sold: int = 0
    returned: int = 0
    increased: int = 0
    decreased: int = 0
    on_hand: int | None = None
    """As the server says, over every SKU; None until it was asked."""
    seconds: float = 0.0
    mismatches: list[str] = field(default_factory=list)
    """Figures that do not balance, each a sentence."""

    def count(self, row: Row) -> None:
        """Counts a row that was read. Kinds that move nothing are done with that."""
        self.rows += 1
        tally = self.kinds[row.kind]
        tally.rows += 1
        tally.units += row.units
        if row.kind in NONSENSE:
            self._settle(row, row.units)
            if len(self.nonsense) < LISTED_MAX:
                self.nonsense.append((row.number, row.kind.value))
        elif row.kind is Kind.SERVICE:
            self._settle(row, row.units)
        elif row.kind is Kind.RETURN_WITHOUT_CUSTOMER:
            self.returned_row(row, 0)

    def _settle(self, row: Row, done: int) -> None:
        tally = self.kinds[row.kind]
        tally.done_units += done
        tally.refused_units += row.units - done
        if done:
            tally.done_rows += 1
        else:
            tally.refused_rows += 1

    def order(self, rows: list[Row], refused: str | None) -> None:
        """An order was taken whole, or refused for a reason."""
        self.orders += 1
        units = sum(row.units for row in rows)
        if refused is None:
            self.sold += units
        else:
            self.orders_refused += 1
            self.reasons[refused] += 1
        for row in rows:
            self._settle(row, row.units if refused is None else 0)

    def returned_row(self, row: Row, units: int) -> None:
        """So many units of a return row came back; the rest has no sale."""
        self.returned += units
        self._settle(row, units)
        if units < row.units:
            self.return_without_sale_rows += 1
            self.return_without_sale_units += row.units - units

    def adjusted(self, row: Row, refused: str | None) -> None:
        """An adjustment was made, or refused for a reason."""
        self._settle(row, row.units if refused is None else 0)
        if refused is not None:
            self.reasons[refused] += 1
        elif row.kind is Kind.INCREASE:
            self.increased += row.units
        else:
            self.decreased += row.units

    @property
    def expected_on_hand(self) -> int:
        """Opening + increased + returned - sold - decreased."""
        return self.opening + self.increased + self.returned - self.sold - self.decreased

    def check(self) -> bool:
        """Whether every figure balances; what does not is added to `mismatches`."""
        if sum(tally.rows for tally in self.kinds.values()) != self.rows:
            self.mismatches.append("the rows of all kinds are not the rows of the file")
        self.mismatches += [
            f"{kind}: done and refused do not add up to what was read"
            for kind, tally in self.kinds.items()
            if not tally.balances()
        ]
        if self.on_hand is not None and self.on_hand != self.expected_on_hand:
            self.mismatches.append(f"on hand is {self.on_hand:,}, expected are {self.expected_on_hand:,}")
        return not self.mismatches

    def as_json(self) -> dict[str, Any]:
        """The whole report."""
        whole = asdict(self)
        whole["kinds"] = {kind.value: asdict(tally) for kind, tally in self.kinds.items()}
        whole["reasons"] = dict(self.reasons)
        whole["expected_on_hand"] = self.expected_on_hand
        whole["refused_lines_share"] = self.refused_share
        return whole

    @property
    def refused_share(self) -> float:
        """The share of sale lines that were refused."""
        sales = self.kinds[Kind.SALE]
        return sales.refused_rows / sales.rows if sales.rows else 0.0
