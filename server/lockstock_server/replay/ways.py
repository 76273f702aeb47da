"""The two ways through a server: as commands on stock in batches, or as orders call by call.

Both keep the file's order where it matters: nothing that takes or gives units overtakes another. What only
passes on units that an order has already (paying, shipping) runs beside.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Protocol, Self, TypeVar

import lockstock
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as orders
from lockstock.v1 import stock_pb2 as stock

from lockstock_server.replay.plan import Document

LINES_A_BATCH = 4_000
"""A batch is sent when its commands have so many lines: some hundreds of kilobytes."""

BESIDE = 8
"""Orders that are paid and shipped at the same time."""

T = TypeVar("T")

Taken = Callable[[str | None], None]
"""Told what became of an order: None, or the reason it was refused for."""


class ReplayError(Exception):
    """The server did what a replay cannot go on from; the sentence says what."""


@dataclass(frozen=True, slots=True)
class Back:
    """Units of a line that come back."""

    order: str
    line: int
    units: int
    warehouse: str
    document: str

    @property
    def lines(self) -> list[op.ReturnLine]:
        """As a request has it."""
        return [op.ReturnLine(line=self.line, quantity=self.units, disposition=op.DISPOSITION_SELLABLE)]


class Way(Protocol):
    """How documents go through a server."""

    def sell(self, document: Document, taken: Taken) -> None:
        """One order: promised, paid and shipped, or refused whole."""

    def take_back(self, back: Back) -> None:
        """Units come back."""

    def command(self, command: op.Command, lines: int, meaning: Callable[[op.Result], None]) -> None:
        """Anything else that moves stock."""

    def settle(self) -> None:
        """Until everything is answered."""


def pieces(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items in lists of at most `size`."""
    rest = iter(items)
    while piece := list(islice(rest, size)):
        yield piece


def reason_of(result: op.Result) -> str | None:
    """Why a command was refused; None if it was not."""
    if result.WhichOneof("result") == "answer":
        return None
    return lockstock.LockstockError.from_status(result.status).reason


def needed(result: op.Result, what: str) -> None:
    """A command that nothing could refuse on a server of our own."""
    check_needed(reason_of(result), what)


def check_needed(reason: str | None, what: str) -> None:
    """The same, of a reason. Raises ReplayError."""
    if reason is not None:
        raise ReplayError(
            f"{what} was refused with {reason}: is the server empty, and the only one who uses it?"
        )


def short_of_stock(document: Document, reason: str | None) -> None:
    """An order is taken, or refused for want of stock; anything else ends the replay."""
    if reason not in {None, "INSUFFICIENT_STOCK"}:
        raise ReplayError(
            f"Invoice {document.invoice} was refused with {reason}, which is not for want of stock."
        )


def wanted(document: Document) -> list[op.OrderLine]:
    """The lines of an invoice's order."""
    return [op.OrderLine(sku=row.sku, quantity=row.units) for row in document.sales]


@dataclass(slots=True)
class _Batch:
    commands: list[op.Command] = field(default_factory=list)
    meanings: list[Callable[[op.Result], None]] = field(default_factory=list)
    lines: int = 0


class ByBatch:
    """Commands on stock, each a step of its own, in batches.

    A batch is sent before anything that must know what the batch did, so the outcome is the same however long
    a batch is.
    """

    def __init__(self, lane: lockstock.Client) -> None:
        self._lane = lane
        self._batch = _Batch()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left: what was not sent is not wanted."""

    def command(self, command: op.Command, lines: int, meaning: Callable[[op.Result], None]) -> None:
        """One more command."""
        self._batch.commands.append(command)
        self._batch.meanings.append(meaning)
        self._batch.lines += lines
        if self._batch.lines >= LINES_A_BATCH:
            self.settle()

    def sell(self, document: Document, taken: Taken) -> None:
        """Lock, deduct, ship: the last two are refused by themselves where the first was."""
        cause = op.Cause(document=document.invoice)
        lock = op.LockRequest(
            cause=cause, reservation_id=document.invoice, lines=wanted(document), region=document.country
        )
        locked = False

        def answered(result: op.Result) -> None:
            nonlocal locked
            reason = reason_of(result)
            short_of_stock(document, reason)
            locked = reason is None
            taken(reason)

        def follow(result: op.Result) -> None:
            if locked:
                needed(result, f"Paying or shipping invoice {document.invoice}")

        lines = len(document.sales)
        deduct = op.DeductRequest(cause=cause, reservation_id=document.invoice)
        ship = op.ShipRequest(cause=cause, reservation_id=document.invoice)
        self.command(op.Command(lock=lock), lines, answered)
        self.command(op.Command(deduct=deduct), lines, follow)
        self.command(op.Command(ship=ship), lines, follow)

    def take_back(self, back: Back) -> None:
        """One return."""
        request = op.ReturnRequest(
            cause=op.Cause(document=back.document),
            reservation_id=back.order,
            warehouse=back.warehouse,
            lines=back.lines,
        )
        command = op.Command()
        # A field whose name is a word of the language.
        getattr(command, "return").CopyFrom(request)
        self.command(command, 1, lambda result: needed(result, f"The return {back.document}"))

    def settle(self) -> None:
        """Sends what waits."""
        batch, self._batch = self._batch, _Batch()
        if not batch.commands:
            return
        response = self._lane.stock.ExecuteBatch(stock.ExecuteBatchRequest(commands=batch.commands))
        for result, meaning in zip(response.results, batch.meanings, strict=True):
            meaning(result)


class ByOrders:
    """Orders, call by call, as a shop's services make them.

    They are placed one after the other; paying, pushing and shipping run beside.
    """

    def __init__(self, front: lockstock.Client, lane: lockstock.Client) -> None:
        self._orders = front.orders
        self._stock = ByBatch(lane)
        self._pool = ThreadPoolExecutor(BESIDE, thread_name_prefix="replay")
        self._beside: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def command(self, command: op.Command, lines: int, meaning: Callable[[op.Result], None]) -> None:
        """One more command on stock; it goes before the next order."""
        self._stock.command(command, lines, meaning)

    def sell(self, document: Document, taken: Taken) -> None:
        """Places the order; where it is taken, the rest runs beside."""
        self._stock.settle()
        request = orders.PlaceOrderRequest(
            cause=op.Cause(document=document.invoice),
            order_id=document.invoice,
            lines=wanted(document),
            destination=orders.Destination(region=document.country),
            buyer=document.customer,
        )
        reason = _refused(partial(self._orders.PlaceOrder, request))
        short_of_stock(document, reason)
        taken(reason)
        if reason is None:
            self._beside.append(self._pool.submit(self._pay_and_ship, document.invoice))
        if len(self._beside) >= LINES_A_BATCH:
            self._settle_beside()

    def _pay_and_ship(self, order: str) -> None:
        cause = op.Cause(document=order)
        pay = orders.PayOrderRequest(cause=cause, order_id=order)
        check_needed(_refused(partial(self._orders.PayOrder, pay)), f"Paying order {order}")
        push = orders.PushOrderRequest(cause=cause, order_id=order)
        pushed = self._orders.PushOrder(push)
        for warehouse in sorted({moved.warehouse for moved in pushed.movements}):
            ship = orders.ShipOrderRequest(cause=cause, order_id=order, warehouse=warehouse)
            check_needed(_refused(partial(self._orders.ShipOrder, ship)), f"Shipping order {order}")

    def take_back(self, back: Back) -> None:
        """Announces a return and takes it."""
        self.settle()
        cause = op.Cause(document=back.document)
        expect = orders.ExpectOrderReturnRequest(
            cause=cause,
            order_id=back.order,
            warehouse=back.warehouse,
            lines=[op.LineQuantity(line=back.line, quantity=back.units)],
        )
        take = orders.TakeOrderReturnRequest(
            cause=cause, order_id=back.order, warehouse=back.warehouse, lines=back.lines
        )
        what = f"The return {back.document}"
        check_needed(_refused(partial(self._orders.ExpectOrderReturn, expect)), what)
        check_needed(_refused(partial(self._orders.TakeOrderReturn, take)), what)

    def settle(self) -> None:
        """Until every order is shipped and every command answered."""
        self._settle_beside()
        self._stock.settle()

    def _settle_beside(self) -> None:
        beside, self._beside = self._beside, []
        for future in beside:
            future.result()


def _refused(call: Callable[[], object]) -> str | None:
    try:
        call()
    except lockstock.LockstockError as error:
        if not error.reason:
            raise
        return error.reason
    return None
