"""Small random shops in a real engine: warehouses with states and assortments, a plan, stock, an order."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import count

from google.protobuf.message import Message
from lockstock.internal.v1 import documents_pb2 as seam
from lockstock.v1 import operations_pb2 as op
from lockstock_server import _core

from support import chooser

STOCK = "/lockstock.v1.StockService/"
PUT = "/lockstock.internal.v1.Documents/PutDocuments"
ACTIVE, PAUSED, CLOSED = 1, 2, 3

_numbers = count(1)


@dataclass
class RandomShop:
    """One shop; its ids are its own, so that many stand side by side in one engine."""

    draw: random.Random
    warehouses_max: int
    name: str = field(default_factory=lambda: f"shop-{next(_numbers)}")
    states: list[int] = field(default_factory=list)
    """By position in the plan."""
    kept: list[set[str]] = field(default_factory=list)
    """By position: SKUs and categories; nothing is everything."""
    skus: list[str] = field(default_factory=list)
    categories: dict[str, str] = field(default_factory=dict)
    units: dict[tuple[str, int], int] = field(default_factory=dict)
    """Available, by SKU and position."""
    lost: dict[str, int] = field(default_factory=dict)
    """By how much a warehouse on no plan is below zero: so many fewer are free in all."""

    def __post_init__(self) -> None:
        draw = self.draw
        self.skus = [f"{self.name}-sku-{n}" for n in range(draw.randint(1, 3))]
        self.categories = {sku: draw.choice([f"{self.name}-soft", f"{self.name}-hard"]) for sku in self.skus}
        for position in range(draw.randint(1, self.warehouses_max)):
            self.states.append(draw.choice([ACTIVE] * 8 + [PAUSED, CLOSED]))
            some = {name for name in [*self.skus, f"{self.name}-soft"] if draw.random() < 0.6}
            self.kept.append(some if draw.random() < 0.3 else set())
            for sku in self.skus:
                # Only an empty warehouse can close.
                if draw.random() < 0.7 and self.states[position] != CLOSED:
                    self.units[sku, position] = draw.randint(0, 6)
        for sku in self.skus:
            if draw.random() < 0.2:
                self.lost[sku] = draw.randint(1, 8)

    def warehouse(self, position: int) -> str:
        # Ids in no order: the plan's order alone counts.
        return f"{self.name}-{(position * 7 + 3) % 101:03}"

    def plan(self) -> list[str]:
        return [self.warehouse(position) for position in range(len(self.states))]

    def keeps(self, position: int, sku: str) -> bool:
        kept = self.kept[position]
        return not kept or sku in kept or self.categories[sku] in kept

    def offers(self) -> chooser.Offers:
        """Who may give, by SKU."""
        return [
            [
                (position, self.units[sku, position])
                for position, state in enumerate(self.states)
                if state == ACTIVE and self.keeps(position, sku) and self.units.get((sku, position), 0) > 0
            ]
            for sku in self.skus
        ]

    def free(self) -> list[int]:
        """What may be promised of each SKU in all: the sum over warehouses that work."""
        active = [position for position, state in enumerate(self.states) if state == ACTIVE]
        return [
            max(0, sum(self.units.get((sku, at), 0) for at in active) - self.lost.get(sku, 0))
            for sku in self.skus
        ]

    def routable(self, sku: str) -> bool:
        return any(state != CLOSED and self.keeps(at, sku) for at, state in enumerate(self.states))

    # --- in the engine ---

    def open(self, engine: _core.Engine) -> None:
        """Puts the documents and the stock; then warehouses pause and close."""
        documents = [
            seam.PutDocument(
                kind=seam.DOCUMENT_KIND_SKU, id=sku, sku=seam.SkuLive(category=self.categories[sku])
            )
            for sku in self.skus
        ]
        documents += [self._warehouse(position, ACTIVE) for position in range(len(self.states))]
        plan = seam.RoutePlanLive(warehouses=self.plan())
        documents += [
            seam.PutDocument(
                kind=seam.DOCUMENT_KIND_WAREHOUSE, id=self.off, warehouse=seam.WarehouseLive(state=ACTIVE)
            ),
            seam.PutDocument(kind=seam.DOCUMENT_KIND_REGION, id=self.name),
            seam.PutDocument(kind=seam.DOCUMENT_KIND_ROUTE_PLAN, id=self.name, route_plan=plan),
        ]
        put(engine, documents)
        lines = [
            op.StockLine(sku=sku, warehouse=self.warehouse(at), quantity=units)
            for (sku, at), units in self.units.items()
            if units
        ]
        if lines:
            called(engine, "OtherReceipt", op.OtherReceiptRequest(lines=lines))
        for sku, units in self.lost.items():
            self._lose(engine, sku, units)
        put(
            engine,
            [
                self._warehouse(position, state)
                for position, state in enumerate(self.states)
                if state != ACTIVE
            ],
        )

    def _lose(self, engine: _core.Engine, sku: str, units: int) -> None:
        """Units that are promised cannot be found any more: others must make good for them."""
        line = op.StockLine(sku=sku, warehouse=self.off, quantity=units)
        called(engine, "OtherReceipt", op.OtherReceiptRequest(lines=[line]))
        lock = op.LockRequest(
            reservation_id=f"{sku}-lost",
            lines=[op.OrderLine(sku=sku, quantity=units)],
            warehouses=op.WarehouseList(warehouses=[self.off]),
        )
        called(engine, "Lock", lock)
        called(engine, "RecordLoss", op.RecordLossRequest(lines=[line]))

    @property
    def off(self) -> str:
        """A warehouse on no plan."""
        return f"{self.name}-off"

    def _warehouse(self, position: int, state: int) -> seam.PutDocument:
        kept = self.kept[position]
        live = seam.WarehouseLive(
            state=state, skus=sorted(kept & set(self.skus)), categories=sorted(kept - set(self.skus))
        )
        return seam.PutDocument(
            kind=seam.DOCUMENT_KIND_WAREHOUSE,
            id=self.warehouse(position),
            warehouse=live,
            expected_version=-1,
        )


def put(engine: _core.Engine, documents: list[seam.PutDocument]) -> None:
    """Documents that must be taken."""
    if documents:
        for document in documents:
            document.body = b"{}"
        request = seam.PutDocumentsRequest(documents=documents)
        granted, payload = engine.call_blocking(PUT, request.SerializeToString())
        assert granted, payload


def called(engine: _core.Engine, method: str, request: Message) -> None:
    """A call that must be granted."""
    granted, payload = engine.call_blocking(STOCK + method, request.SerializeToString())
    assert granted, payload
