"""The routing service: explains routes, tries policies, shows plans. Promises nothing."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast

from lockstock.internal.v1 import documents_pb2 as documents
from lockstock.v1 import catalog_pb2, operations_pb2, orders_pb2, stock_pb2
from lockstock.v1 import routing_pb2 as pb

from lockstock_server.catalog import bodies, form
from lockstock_server.catalog.kinds import SKU, WAREHOUSE
from lockstock_server.orders.listing import micros
from lockstock_server.refusals import Refused
from lockstock_server.routing.decide import Candidates, Demand, Line, Shelves, decide
from lockstock_server.routing.explain import Explained, Warehouse, reason_number
from lockstock_server.routing.explain_past import explain_past
from lockstock_server.routing.past import Filters, History
from lockstock_server.routing.planner import Planner
from lockstock_server.routing.sites import keeper_of
from lockstock_server.routing.trial import Policy, try_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lockstock_server.catalog.plans import Plans
    from lockstock_server.catalog.references import Lookup
    from lockstock_server.routing.decide import Choose
    from lockstock_server.routing.distance import Point
    from lockstock_server.routing.network import Site
    from lockstock_server.routing.past import Effect

_T = TypeVar("_T")

LINES_MAX: Final = 2_000
QUANTITY_MAX: Final = 10**12
POOL: Final = "SHARED"
ORDERS_MAX: Final = 10_000
ORDERS_DEFAULT: Final = 1_000

Call = Callable[[str, bytes], Awaitable[bytes]]
"""The engine: a method and its request; the answer. Raises Refused."""


class Archive(Protocol):
    """The database, for reading."""

    async def read(self, query: Callable[[History], _T], min_sequence: int) -> tuple[_T, int]:
        """Run a query against one moment, and tell the sequence it stood at. Raises Refused."""


class Way:
    """Where an order would go: the plan it would be routed by, and from where distances are measured."""

    def __init__(self, plan: Sequence[Site], origin: Point | None = None, version: int = 0) -> None:
        self.plan, self.origin, self.version = plan, origin, version


class Routing:
    """Explains, tries and shows, over the plans as they are installed."""

    def __init__(
        self,
        plans: Plans,
        lookup: Lookup,
        call: Call,
        archive: Archive,
        table: Mapping[str, Effect],
        choose: Choose,
    ) -> None:
        self._plans, self._lookup, self._call = plans, lookup, call
        self._archive, self._table, self._choose = archive, table, choose
        self._planner = Planner(plans.network)

    # --- explaining ---

    async def explain(self, request: pb.ExplainRouteRequest) -> pb.ExplainRouteResponse:
        """Explain an order to be placed, or one that was. Raises Refused."""
        match request.WhichOneof("order"):
            case "demand":
                return await self._explain_demand(request.demand)
            case "order_id":
                return await self._explain_order(request.order_id)
            case _:
                raise Refused("FIELD_REQUIRED", field="order")

    async def _explain_order(self, order_id: str) -> pb.ExplainRouteResponse:
        form.check_id("order_id", order_id)
        # The engine knows whether there is one; the database may not have heard of it yet.
        asked = stock_pb2.GetReservationRequest(reservation_id=order_id)
        answer = await self._call("/lockstock.v1.StockService/GetReservation", asked.SerializeToString())
        version = stock_pb2.Reservation.FromString(answer).version
        explained, _ = await self._archive.read(
            lambda history: explain_past(history, order_id, self._table, self._choose), version
        )
        return explained

    async def _explain_demand(self, asked: pb.RouteDemand) -> pb.ExplainRouteResponse:
        demand = _demand(asked)
        way = self._way(asked.destination, "demand.destination")
        sequence, shelves = await self._shelves(demand.skus())
        plan = self._seen(way.plan, way, asked.destination)
        candidates = Candidates(warehouse.keeper for warehouse in plan)
        decision = decide(demand, candidates, shelves, self._choose)
        pickup = bool(asked.destination.pickup)
        explained = Explained(demand, decision, shelves, pickup, decision.takes)
        on_plan = {warehouse.site.warehouse for warehouse in plan}
        rest = (site for site in self._plans.network.sites() if site.warehouse not in on_plan)
        others = self._seen(rest, way, asked.destination)
        return pb.ExplainRouteResponse(
            sequence=sequence,
            granted=not decision.reason,
            reason=reason_number(decision.reason),
            parcels=decision.parcels,
            split_exact=decision.split_exact,
            refused=[
                operations_pb2.RefusedLine(line=line, quantity=units)
                for line, units in sorted(decision.refused.items())
            ],
            candidates=explained.candidates(plan, others),
        )

    def _seen(self, sites: Iterable[Site], way: Way, destination: orders_pb2.Destination) -> list[Warehouse]:
        buyer = way.origin if destination.HasField("coordinates") else None
        return [
            Warehouse(
                site=site,
                keeper=keeper_of(document),
                distance_km=site.distance_km(way.origin),
                covers=self._plans.network.covers(site, destination.region)
                or (buyer is not None and site.distance_km(buyer) <= site.reach_km),
            )
            for site, document in self._known(sites)
        ]

    def _known(self, sites: Iterable[Site]) -> Iterator[tuple[Site, catalog_pb2.Warehouse]]:
        """The warehouses with their documents; one that is only just being made has none yet."""
        for site in sites:
            document = self._lookup.find(WAREHOUSE, site.warehouse)
            if document is not None:
                yield site, cast("catalog_pb2.Warehouse", document)

    async def _shelves(self, skus: Sequence[str]) -> tuple[int, Shelves]:
        """What there is of some SKUs now, at one sequence."""
        categories = await self._categories(skus)
        asked = stock_pb2.BatchGetStockRequest(skus=skus)
        answer = await self._call("/lockstock.v1.StockService/BatchGetStock", asked.SerializeToString())
        stock = stock_pb2.BatchGetStockResponse.FromString(answer)
        shelves = Shelves(
            categories=categories,
            available={
                level.sku: {at.warehouse: at.available for at in level.levels} for level in stock.stocks
            },
            free={level.sku: level.free for level in stock.stocks},
        )
        return stock.sequence, shelves

    async def _categories(self, skus: Sequence[str]) -> dict[str, str]:
        asked = documents.GetDocumentsRequest(kind=SKU.number, ids=skus)
        answer = await self._call("/lockstock.internal.v1.Documents/GetDocuments", asked.SerializeToString())
        found = documents.GetDocumentsResponse.FromString(answer).documents
        categories = {
            document.id: cast("catalog_pb2.Sku", bodies.read(SKU, document.body)).category
            for document in found
        }
        for sku in skus:
            if sku not in categories:
                raise Refused("SKU_NOT_FOUND", sku=sku)
        return categories

    # --- trying ---

    async def try_policy(self, request: pb.TryPolicyRequest) -> pb.TryPolicyResponse:
        """Route past orders again. Raises Refused."""
        policy, filters = self._policy(request.policy), _filters(request)
        response, as_of = await self._archive.read(
            lambda history: try_policy(history, policy, filters, self._table, self._choose),
            request.min_sequence,
        )
        response.as_of_sequence = as_of
        return response

    def _policy(self, asked: pb.RoutingPolicy) -> Policy:
        for warehouse in (*asked.excluded_warehouses, *sorted(asked.ranks), *sorted(asked.tiers)):
            if self._plans.network.site(warehouse) is None:
                raise Refused("WAREHOUSE_NOT_FOUND", warehouse=warehouse)
        for warehouse, rank in sorted(asked.ranks.items()):
            form.check_number(f"policy.ranks[{warehouse}]", rank, 0, form.RANK_MAX)
        for warehouse, tier in sorted(asked.tiers.items()):
            form.check_enum(f"policy.tiers[{warehouse}]", tier, catalog_pb2.Tier.values())
        return Policy(
            max_parcels=asked.max_parcels if asked.HasField("max_parcels") else None,
            allow_partial=asked.allow_partial,
            excluded=frozenset(asked.excluded_warehouses),
            ranks=dict(asked.ranks),
            tiers=dict(asked.tiers),
        )

    # --- showing ---

    async def plan(self, request: pb.GetRoutePlanRequest) -> pb.GetRoutePlanResponse:
        """Show the plan of a destination. Raises Refused."""
        way = self._way(request.destination, "destination")
        category = ""
        if request.sku:
            form.check_id("sku", request.sku)
            category = (await self._categories([request.sku]))[request.sku]
        response = pb.GetRoutePlanResponse(version=way.version)
        for site, document in self._known(way.plan):
            if request.sku and not keeper_of(document).keeps(request.sku, category):
                continue
            distance = site.distance_km(way.origin)
            response.entries.add(
                warehouse=site.warehouse,
                tier=document.tier,
                rank=site.rank,
                distance_km=None if math.isinf(distance) else distance,
                state=document.state,
            )
        return response

    def _way(self, destination: orders_pb2.Destination, path: str) -> Way:
        if destination.pickup:
            return Way([self._planner.pickup(destination, path)])
        form.check_id(f"{path}.region", destination.region)
        if destination.HasField("coordinates"):
            buyer = self._planner.buyer(destination, path)
            return Way(self._planner.candidates(destination.region, buyer), buyer)
        place = self._plans.network.place(destination.region)
        if place is None:
            raise Refused("REGION_NOT_FOUND", region=destination.region)
        # What the engine goes by: the installed plan, should a newer one still be on its way.
        plan, version = self._plans.standing(destination.region)
        sites = [site for warehouse in plan if (site := self._plans.network.site(warehouse)) is not None]
        return Way(sites, place.centroid, version)


def _demand(asked: pb.RouteDemand) -> Demand:
    if not asked.lines:
        raise Refused("FIELD_REQUIRED", field="demand.lines")
    if len(asked.lines) > LINES_MAX:
        raise Refused("TOO_MANY_LINES", field="demand.lines", limit=LINES_MAX)
    sums: dict[str, int] = {}
    for at, line in enumerate(asked.lines):
        path = f"demand.lines[{at}]"
        form.check_id(f"{path}.sku", line.sku)
        sums[line.sku] = sums.get(line.sku, 0) + line.quantity
        if not 1 <= line.quantity <= QUANTITY_MAX or sums[line.sku] > QUANTITY_MAX:
            raise Refused("QUANTITY_OUT_OF_RANGE", field=f"{path}.quantity", value=line.quantity)
        if line.pool not in {"", POOL}:
            raise Refused("POOL_NOT_FOUND", pool=line.pool)
    lines = [Line(at, line.sku, line.quantity) for at, line in enumerate(asked.lines, start=1)]
    return Demand(lines, asked.split.max_parcels, asked.split.allow_partial)


def _filters(request: pb.TryPolicyRequest) -> Filters:
    form.check_number("orders_max", request.orders_max, 0, ORDERS_MAX)
    form.check_optional_id("channel", request.channel)
    return Filters(
        newest=request.orders_max or ORDERS_DEFAULT,
        channel=request.channel,
        created_from=micros(request, "created_from"),
        created_before=micros(request, "created_before"),
    )
