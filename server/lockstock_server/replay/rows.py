"""What a row of a shop's order lines is: every row is exactly one kind, and none is dropped in silence."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

QUANTITY_MAX = 10**12
ID_BYTES_MAX = 64


class Kind(StrEnum):
    """The closed list of kinds."""

    NO_INVOICE = "NO_INVOICE"
    """The invoice is missing, or longer than an id may be."""
    NO_SKU = "NO_SKU"
    """The stock code is missing, or longer than an id may be."""
    NO_QUANTITY = "NO_QUANTITY"
    """The quantity is missing, not a whole number, zero, or beyond 10^12."""
    NO_PRICE = "NO_PRICE"
    """The price is missing or not a number."""
    SERVICE = "SERVICE"
    """Not goods: postage, discounts, fees, vouchers, samples, bank charges, manual entries."""
    UNKNOWN_INVOICE = "UNKNOWN_INVOICE"
    """Goods on an invoice that is neither a sale's nor a return's."""
    RETURN = "RETURN"
    """Goods that come back from a known customer."""
    RETURN_WITHOUT_CUSTOMER = "RETURN_WITHOUT_CUSTOMER"
    """Goods that come back from nobody known: no sale can be found for them."""
    RETURN_OF_NOTHING = "RETURN_OF_NOTHING"
    """A return whose quantity goes out."""
    INCREASE = "INCREASE"
    """An adjustment upwards: goods without a price and without a customer."""
    DECREASE = "DECREASE"
    """An adjustment downwards: goods that leave without a price."""
    NEGATIVE_SALE = "NEGATIVE_SALE"
    """Goods that come back for money on an invoice that is no return's."""
    SALE = "SALE"
    """Goods that are sold."""


NONSENSE = frozenset(
    {
        Kind.NO_INVOICE,
        Kind.NO_SKU,
        Kind.NO_QUANTITY,
        Kind.NO_PRICE,
        Kind.UNKNOWN_INVOICE,
        Kind.RETURN_OF_NOTHING,
        Kind.NEGATIVE_SALE,
    }
)
"""Rows that make no sense: they are counted and listed, and move nothing."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column is which, and how the shop writes its documents."""

    invoice: str
    sku: str
    quantity: str
    price: str
    customer: str
    country: str
    goods: re.Pattern[str]
    """What a stock code of goods looks like; others are services."""
    sale_prefix: re.Pattern[str]
    """What an invoice of a sale looks like."""
    return_prefix: re.Pattern[str]
    """What an invoice of a return looks like."""

    def with_columns(self, columns: dict[str, str]) -> "Layout":
        """The same shop with other column names."""
        return replace(self, **columns)  # type: ignore[arg-type]


LAYOUTS = {
    "uci-online-retail": Layout(
        invoice="Invoice",
        sku="StockCode",
        quantity="Quantity",
        price="Price",
        customer="Customer ID",
        country="Country",
        # Five digits and perhaps letters; DCGS is the shop's own range of gifts.
        goods=re.compile(r"^(\d{5}|DCGS\d)"),
        sale_prefix=re.compile(r"^\d"),
        return_prefix=re.compile(r"^C"),
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it came, with what could be read of it."""

    number: int
    """Its place in the file, from 1 (a header is not counted)."""
    kind: Kind
    invoice: str
    sku: str
    quantity: int
    """As it came: below zero for what comes back or is taken away. 0 where it could not be read."""
    customer: str
    country: str

    @property
    def units(self) -> int:
        """Units without their direction."""
        return abs(self.quantity)


def text(value: object) -> str:
    """A cell as text; numbers that a file keeps as floats (customers) lose their `.0`."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is what differs from itself
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def whole(value: object) -> int | None:
    """A cell as a whole number, None if it is none."""
    try:
        number = float(text(value))
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) <= QUANTITY_MAX else None


def number(value: object) -> float | None:
    """A cell as a number, None if it is none."""
    try:
        return float(text(value))
    except ValueError:
        return None


def _id(value: str) -> bool:
    return 0 < len(value.encode()) <= ID_BYTES_MAX and value.isprintable()


@dataclass(frozen=True, slots=True)
class Cells:
    """What of a row decides its kind."""

    layout: Layout
    invoice: str
    sku: str
    quantity: int | None
    price: float | None
    customer: str

    @property
    def comes_back(self) -> bool:
        """Whether the invoice is a return's."""
        return bool(self.layout.return_prefix.match(self.invoice))


RULES: tuple[tuple[Kind, Callable[[Cells], bool]], ...] = (
    (Kind.NO_INVOICE, lambda row: not _id(row.invoice)),
    (Kind.NO_SKU, lambda row: not _id(row.sku)),
    (Kind.NO_QUANTITY, lambda row: not row.quantity),
    (Kind.NO_PRICE, lambda row: row.price is None),
    (Kind.SERVICE, lambda row: not row.layout.goods.match(row.sku)),
    (Kind.RETURN_OF_NOTHING, lambda row: row.comes_back and (row.quantity or 0) > 0),
    (Kind.RETURN, lambda row: row.comes_back and bool(row.customer)),
    (Kind.RETURN_WITHOUT_CUSTOMER, lambda row: row.comes_back),
    (Kind.UNKNOWN_INVOICE, lambda row: not row.layout.sale_prefix.match(row.invoice)),
    (Kind.DECREASE, lambda row: (row.quantity or 0) < 0 and row.price == 0),
    (Kind.NEGATIVE_SALE, lambda row: (row.quantity or 0) < 0),
    (Kind.INCREASE, lambda row: row.price == 0 and not row.customer),
    (Kind.SALE, lambda _row: True),
)
"""The first rule that fits names the kind."""


def classify(cells: Cells) -> Kind:
    """The kind of a row."""
    return next(kind for kind, fits in RULES if fits(cells))


def row(layout: Layout, place: int, cells: dict[str, object]) -> Row:
    """Reads one row. Never fails: what cannot be read makes the row's kind."""
    invoice, sku = text(cells.get(layout.invoice)), text(cells.get(layout.sku))
    quantity, price = whole(cells.get(layout.quantity)), number(cells.get(layout.price))
    # Exports write customers as floats, in CSV too.
    customer = text(cells.get(layout.customer)).removesuffix(".0")
    return Row(
        number=place,
        kind=classify(Cells(layout, invoice, sku, quantity, price, customer)),
        invoice=invoice,
        sku=sku,
        quantity=quantity or 0,
        customer=customer,
        country=text(cells.get(layout.country)) or "Unspecified",
    )
