"""Routing: `route explain`, `route try`, `plan show`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer
from lockstock.v1 import catalog_pb2, errors_pb2
from lockstock.v1 import routing_pb2 as pb

from lockstock_server.cli.doors import UNSET, Server
from lockstock_server.cli.output import (
    Exit,
    Json,
    as_dict,
    connected,
    console,
    fail,
    newest,
    show_json,
    show_table,
)
from lockstock_server.cli.written import (
    Latitude,
    Longitude,
    Pickup,
    Region,
    Wanted,
    destination,
    named,
    whole,
)

AllowPartial = Annotated[bool, typer.Option("--allow-partial", help="Grant what there is.")]


def explain(
    order: Annotated[str, typer.Option(help="An order that was placed.")] = "",
    line: Wanted = None,
    region: Region = "",
    latitude: Latitude = None,
    longitude: Longitude = None,
    pickup: Pickup = "",
    max_parcels: Annotated[int, typer.Option(help="The most parcels; 0 is no limit.", min=0)] = 0,
    allow_partial: AllowPartial = False,
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Which warehouses ship an order, and why each of the others does not."""
    if bool(order) == bool(line):
        fail("Name an order that was placed (--order) or what is wanted (--line).", Exit.USAGE)
    request = pb.ExplainRouteRequest(order_id=order)
    if line:
        request.demand.destination.CopyFrom(destination(region, latitude, longitude, pickup))
        request.demand.split.max_parcels = max_parcels
        request.demand.split.allow_partial = allow_partial
        for name, units in named(line, "--line", whole):
            request.demand.lines.add(sku=name, quantity=units)
    with connected(server, json=json) as client:
        answer = client.routing.ExplainRoute(request)
    if json:
        show_json(as_dict(answer))
        return
    console.print(_outcome(answer, past=bool(order)), markup=False)
    for row in answer.refused:
        console.print(f"line {row.line}: {row.quantity:,} units not granted", markup=False)
    show_table(f"stock at sequence {answer.sequence}", [_candidate(row) for row in answer.candidates])


def _outcome(answer: pb.ExplainRouteResponse, *, past: bool) -> str:
    parcels = f"{answer.parcels} parcel{'s' if answer.parcels != 1 else ''}"
    if not answer.granted:
        needed = f", it would take {parcels}" if answer.parcels else ""
        return f"refused: {_reason(answer.reason)}{needed}"
    greedy = "" if answer.split_exact else "; found greedily, fewer may do"
    disagrees = f"; decided again it would be {_reason(answer.reason)}" if answer.reason else ""
    return f"{'granted' if past else 'would be granted'}: {parcels}{greedy}{disagrees}"


def _candidate(row: pb.RouteCandidate) -> dict[str, str]:
    return {
        "plan": str(row.position or ""),
        "warehouse": row.warehouse,
        "tier": _tier(row.tier),
        "rank": str(row.rank),
        "km": _km(row),
        "verdict": pb.Verdict.Name(row.verdict).removeprefix("VERDICT_"),
        "gives": ", ".join(f"{it.sku} {it.given:,}" for it in row.skus if it.given),
        "has": ", ".join(f"{it.sku} {it.available:,}" for it in row.skus if it.kept and it.available),
    }


def try_policy(
    max_parcels: Annotated[
        int | None,
        typer.Option(help="The most parcels; 0 is no limit. Default: as each order had it.", min=0),
    ] = None,
    allow_partial: AllowPartial = False,
    exclude: Annotated[
        list[str] | None, typer.Option(help="A warehouse that would not ship; repeat.")
    ] = None,
    rank: Annotated[list[str] | None, typer.Option(help="WAREHOUSE=RANK; repeat.")] = None,
    tier: Annotated[list[str] | None, typer.Option(help="WAREHOUSE=TIER, such as FRONT; repeat.")] = None,
    channel: Annotated[str, typer.Option(help="Only orders sold in this channel.")] = "",
    created_from: Annotated[
        datetime | None, typer.Option("--from", help="Only orders placed at or after this time (UTC).")
    ] = None,
    created_before: Annotated[
        datetime | None, typer.Option("--before", help="Only orders placed before this time (UTC).")
    ] = None,
    orders_max: Annotated[
        int, typer.Option("--orders", help="The newest so many.", min=1, max=10_000)
    ] = 1_000,
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Routes past orders again under another policy, and compares."""
    request = pb.TryPolicyRequest(channel=channel, orders_max=orders_max)
    request.policy.allow_partial = allow_partial
    request.policy.excluded_warehouses.extend(exclude or [])
    if max_parcels is not None:
        request.policy.max_parcels = max_parcels
    for warehouse, number in named(rank, "--rank", int):
        request.policy.ranks[warehouse] = number
    for warehouse, kind in named(tier, "--tier", _tier_number):
        request.policy.tiers[warehouse] = kind
    if created_from is not None:
        request.created_from.FromDatetime(created_from)
    if created_before is not None:
        request.created_before.FromDatetime(created_before)
    with connected(server, json=json) as client:
        request.min_sequence = newest(client)
        answer = client.routing.TryPolicy(request)
    if json:
        show_json(as_dict(answer))
        return
    sides = (("as it was", answer.before), ("under the policy", answer.after))
    show_table(
        f"{answer.orders:,} orders, as of sequence {answer.as_of_sequence}",
        [
            {
                "": name,
                "parcels": f"{totals.parcels:,}",
                "refused orders": f"{totals.refused_orders:,}",
                "refused lines": f"{totals.refused_lines:,}",
                "refused units": f"{totals.refused_units:,}",
            }
            for name, totals in sides
        ],
    )
    show_table("warehouses", _uses(answer.before.warehouses, answer.after.warehouses))
    if answer.changes:
        show_table("orders that would change, the newest first", [_change(row) for row in answer.changes])


def _uses(before: Iterable[pb.WarehouseUse], after: Iterable[pb.WarehouseUse]) -> list[dict[str, str]]:
    was = {use.warehouse: use for use in before}
    would_be = {use.warehouse: use for use in after}
    none = pb.WarehouseUse()
    return [
        {
            "warehouse": name,
            "parcels": f"{was.get(name, none).parcels:,}",
            "parcels then": f"{would_be.get(name, none).parcels:,}",
            "units": f"{was.get(name, none).units:,}",
            "units then": f"{would_be.get(name, none).units:,}",
        }
        for name in sorted(was.keys() | would_be.keys())
    ]


def _change(row: pb.RoutingChange) -> dict[str, str]:
    return {
        "order": row.order_id,
        "from": ", ".join(row.before),
        "to": ", ".join(row.after) or _reason(row.reason),
    }


def show_plan(
    region: Region = "",
    latitude: Latitude = None,
    longitude: Longitude = None,
    pickup: Pickup = "",
    sku: Annotated[str, typer.Option(help="Only warehouses that keep this SKU.")] = "",
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """The warehouses that orders to a destination are routed to, in order."""
    request = pb.GetRoutePlanRequest(destination=destination(region, latitude, longitude, pickup), sku=sku)
    with connected(server, json=json) as client:
        answer = client.routing.GetRoutePlan(request)
    if json:
        show_json(as_dict(answer))
        return
    show_table(
        f"installed at sequence {answer.version}" if answer.version else "made for this buyer",
        [
            {
                "": str(position),
                "warehouse": row.warehouse,
                "tier": _tier(row.tier),
                "rank": str(row.rank),
                "km": _km(row),
                "state": catalog_pb2.WarehouseState.Name(row.state).removeprefix("WAREHOUSE_STATE_"),
            }
            for position, row in enumerate(answer.entries, start=1)
        ],
    )


def _tier_number(name: str) -> catalog_pb2.Tier.ValueType:
    return catalog_pb2.Tier.Value(f"TIER_{name.upper()}")


def _tier(number: catalog_pb2.Tier.ValueType) -> str:
    return catalog_pb2.Tier.Name(number).removeprefix("TIER_")


def _reason(number: errors_pb2.Reason.ValueType) -> str:
    return errors_pb2.Reason.Name(number).removeprefix("REASON_")


def _km(row: Any) -> str:
    return f"{row.distance_km:,.1f}" if row.HasField("distance_km") else ""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    route = typer.Typer(help="Which warehouse ships, and why.", no_args_is_help=True)
    route.command("explain")(explain)
    route.command("try")(try_policy)
    app.add_typer(route, name="route")
    plan = typer.Typer(help="Route plans.", no_args_is_help=True)
    plan.callback()(lambda: None)
    plan.command("show")(show_plan)
    app.add_typer(plan, name="plan")
