"""Explaining the route of an order that was placed, against what stood then. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockstock.v1 import operations_pb2
from lockstock.v1 import routing_pb2 as pb

from lockstock_server.refusals import Refused
from lockstock_server.routing.beyond import point_of
from lockstock_server.routing.decide import Candidates, Demand, decide
from lockstock_server.routing.explain import Explained, Warehouse, reason_number
from lockstock_server.routing.past import Stock, World, placing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockstock_server.routing.decide import Choose, Decision, Take
    from lockstock_server.routing.past import Effect, History, Known, Moved, Placed, Placing


def explain_past(
    history: History, order_id: str, table: Mapping[str, Effect], choose: Choose
) -> pb.ExplainRouteResponse:
    """Explain an order. Raises Refused.

    Verdicts are those of the decision made again; `given`, what was granted and what was refused are as
    journalled. Should the two ever disagree, both stand there: a reason beside a grant, or a warehouse that was
    not chosen beside units it gave.
    """
    placed = history.order(order_id)
    if placed is None:
        raise Refused("RESERVATION_NOT_FOUND", reservation=order_id)
    sequence = placed.sequence - 1
    first = placing(_own(history, placed), table)
    demand = Demand(first.lines, placed.max_parcels, allow_partial=bool(first.refused))
    skus = demand.skus()
    regions = [placed.region] if placed.region else []
    world = World(history, skus=skus, regions=regions, at=sequence, back_to=sequence)
    stock = Stock.as_it_stands(history, skus, table)
    for kind, sku, warehouse, units in history.sums_after(skus, sequence):
        stock.undo(kind, sku, warehouse, units)
    plan = world.plan(placed)
    shelves = world.shelves(skus, stock)
    decision = decide(demand, Candidates(known.keeper for known in plan), shelves, choose)
    given = journalled(first, decision)
    explained = Explained(demand, decision, shelves, bool(placed.pickup), given)
    return pb.ExplainRouteResponse(
        sequence=sequence,
        granted=True,
        reason=reason_number(decision.reason),
        parcels=len({take.warehouse for take in given}),
        split_exact=decision.split_exact,
        refused=[
            operations_pb2.RefusedLine(line=line, quantity=units)
            for line, units in sorted(first.refused.items())
        ],
        candidates=explained.candidates(*_warehouses(world, placed, plan)),
    )


def journalled(first: Placing, again: Decision) -> list[Take]:
    """What the warehouses gave to an order.

    Lines that the payment takes were only checked when the order was placed: of them, what would have been
    given.
    """
    checked = [take for take in again.takes if take.line in first.wanted]
    return [take for take in first.takes if take.line not in first.wanted] + checked


def _own(history: History, placed: Placed) -> list[Moved]:
    return [moved for moved in history.placing([placed]) if moved.owner == placed.order_id]


def _warehouses(world: World, placed: Placed, plan: list[Known]) -> tuple[list[Warehouse], list[Warehouse]]:
    """Those on the plan, and all others; where the order was given its warehouses, no others were thought of."""
    origin, buyer, codes = world.origin(placed), point_of(placed.destination), world.codes(placed)

    def seen(known: Known) -> Warehouse:
        site = known.site
        covers = site.everywhere or not site.regions.isdisjoint(codes)
        reaches = buyer is not None and site.distance_km(buyer) <= site.reach_km
        return Warehouse(site, known.keeper, site.distance_km(origin), covers or reaches)

    on_plan = {known.site.warehouse for known in plan}
    others = world.warehouses.all() if placed.region or placed.pickup else iter(())
    return [seen(known) for known in plan], [
        seen(known) for known in others if known.site.warehouse not in on_plan
    ]
