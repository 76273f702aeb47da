"""Warehouses and regions on the command line: `warehouse list|show|set`, `region list|show`."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import lockstock
import typer
from google.protobuf.field_mask_pb2 import FieldMask
from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.cli.doors import UNSET, Server
from lockstock_server.cli.output import (
    Exit,
    Json,
    as_dict,
    connected,
    console,
    fail,
    show_json,
    show_table,
)

PAGE = 1_000
LISTED = 5
"""So many codes of a list stand in a table; `show` has them all."""


class TierWord(StrEnum):
    """A tier as it is typed."""

    FRONT = "FRONT"
    LOCAL = "LOCAL"
    CITY = "CITY"
    REGIONAL = "REGIONAL"
    CENTRAL = "CENTRAL"


class StateWord(StrEnum):
    """A warehouse's state as it is typed."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CLOSED = "CLOSED"


def _tier(warehouse: pb.Warehouse) -> str:
    return pb.Tier.Name(warehouse.tier).removeprefix("TIER_")


def _state(warehouse: pb.Warehouse) -> str:
    return pb.WarehouseState.Name(warehouse.state).removeprefix("WAREHOUSE_STATE_")


def _some(codes: Any) -> str:
    shown = ", ".join(codes[:LISTED])
    return shown if len(codes) <= LISTED else f"{shown} and {len(codes) - LISTED:,} more"


def _point(document: pb.Warehouse | pb.Region, field: str) -> str:
    if not document.HasField(field):  # type: ignore[arg-type] # only asked of messages that have it
        return ""
    point: pb.Coordinates = getattr(document, field)
    return f"{point.latitude:g}, {point.longitude:g}"


def _all(method: Any, request: type[Any], field: str) -> Iterator[Any]:
    """Every document of a list, page by page."""
    token = ""
    while True:
        page = method(request(page_size=PAGE, page_token=token))
        yield from getattr(page, field)
        token = page.next_page_token
        if not token:
            return


def list_warehouses(
    tier: Annotated[TierWord | None, typer.Option(help="Only this tier.", case_sensitive=False)] = None,
    state: Annotated[StateWord | None, typer.Option(help="Only this state.", case_sensitive=False)] = None,
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Every warehouse, by id."""
    with connected(server, json=json) as client:
        found = [
            it
            for it in _all(client.catalog.ListWarehouses, pb.ListWarehousesRequest, "warehouses")
            if tier in {None, _tier(it)} and state in {None, _state(it)}
        ]
    if json:
        show_json([as_dict(it) for it in found])
        return
    show_table(
        f"{len(found):,} warehouses",
        [
            {
                "warehouse": it.warehouse,
                "tier": _tier(it),
                "state": _state(it),
                "rank": it.rank,
                "title": it.title,
                "regions": _some(it.coverage.regions),
                "radius km": f"{it.coverage.radius_km:g}",
                "categories": _some(it.assortment.categories),
                "skus": _some(it.assortment.skus),
                "parent": it.parent,
                "pickup": "yes" if it.pickup else "",
            }
            for it in found
        ],
    )


def _show_warehouse(it: pb.Warehouse) -> None:
    everywhere = it.tier == pb.TIER_CENTRAL and not it.coverage.regions
    everything = not it.assortment.skus and not it.assortment.categories
    facts = {
        "title": it.title,
        "tier": _tier(it),
        "state": _state(it),
        "rank": it.rank,
        "covers": "everywhere" if everywhere else ", ".join(it.coverage.regions),
        "radius km": f"{it.coverage.radius_km:g}",
        "keeps": "everything" if everything else ", ".join([*it.assortment.categories, *it.assortment.skus]),
        "parent": it.parent,
        "pickup": "yes" if it.pickup else "no",
        "location": _point(it, "location"),
        "etag": it.etag,
    }
    show_table(it.warehouse, [{"fact": name, "value": value} for name, value in facts.items() if value != ""])


def show_warehouse(
    warehouse: Annotated[str, typer.Argument(help="The warehouse.")],
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """One warehouse, whole."""
    with connected(server, json=json) as client:
        found = client.catalog.GetWarehouse(pb.GetWarehouseRequest(warehouse=warehouse))
    if json:
        show_json(as_dict(found))
    else:
        _show_warehouse(found)


def set_warehouse(
    warehouse: Annotated[str, typer.Argument(help="The warehouse.")],
    state: Annotated[
        StateWord | None,
        typer.Option(help="Whether it works. CLOSED needs it empty.", case_sensitive=False),
    ] = None,
    rank: Annotated[int | None, typer.Option(help="Its place within its tier: lower is tried first.")] = None,
    tier: Annotated[TierWord | None, typer.Option(help="Its tier.", case_sensitive=False)] = None,
    title: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    parent: Annotated[str | None, typer.Option(help="What replenishes it; empty for nothing.")] = None,
    pickup: Annotated[bool | None, typer.Option(help="Whether buyers may fetch goods here.")] = None,
    region: Annotated[
        list[str] | None, typer.Option(help="What it covers, instead of what it covered; may be repeated.")
    ] = None,
    radius_km: Annotated[
        float | None, typer.Option(help="FRONT only: how far buyers may be; goes with --region.")
    ] = None,
    etag: Annotated[
        str | None, typer.Option(help="The version you looked at; without it, the one of now.")
    ] = None,
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Changes the fields that are named, and no other; refused where somebody else was faster."""
    given: dict[str, Any] = {
        "state": state and pb.WarehouseState.Value(f"WAREHOUSE_STATE_{state}"),
        "rank": rank,
        "tier": tier and pb.Tier.Value(f"TIER_{tier}"),
        "title": title,
        "parent": parent,
        "pickup": pickup,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    with connected(server, json=json) as client:
        standing = client.catalog.GetWarehouse(pb.GetWarehouseRequest(warehouse=warehouse))
        if region is not None or radius_km is not None:
            regions = standing.coverage.regions if region is None else region
            radius = standing.coverage.radius_km if radius_km is None else radius_km
            fields["coverage"] = pb.Coverage(regions=regions, radius_km=radius)
        if not fields:
            fail(
                "Name what to set: --state, --rank, --tier, --title, --parent, --pickup, --region.",
                Exit.USAGE,
            )
        changed = client.catalog.UpdateWarehouse(_update(standing, fields, etag))
    if json:
        show_json(as_dict(changed))
        return
    _show_warehouse(changed)
    console.print(f"changed: {', '.join(sorted(fields))}", markup=False)


def _update(standing: pb.Warehouse, fields: dict[str, Any], etag: str | None) -> pb.UpdateWarehouseRequest:
    asked = pb.Warehouse(warehouse=standing.warehouse, etag=standing.etag if etag is None else etag, **fields)
    return pb.UpdateWarehouseRequest(
        warehouse=asked,
        update_mask=FieldMask(paths=sorted(fields)),
        request_id=lockstock.new_request_id(),
    )


def list_regions(
    below: Annotated[str | None, typer.Option(help="Only this region and what lies in it.")] = None,
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Every region, by id."""
    with connected(server, json=json) as client:
        found = list(_all(client.catalog.ListRegions, pb.ListRegionsRequest, "regions"))
        if below is not None:
            # Asked for by itself, so that a region that is not there is refused.
            client.catalog.GetRegion(pb.GetRegionRequest(region=below))
            parents = {it.region: it.parent for it in found}
            found = [it for it in found if below in _path(parents, it.region)]
    if json:
        show_json([as_dict(it) for it in found])
        return
    show_table(
        f"{len(found):,} regions",
        [
            {
                "region": it.region,
                "parent": it.parent,
                "title": it.title,
                "centroid": _point(it, "centroid"),
            }
            for it in found
        ],
    )


def _path(parents: dict[str, str], region: str) -> list[str]:
    """The region and all above it."""
    path = []
    while region:
        path.append(region)
        region = parents.get(region, "")
    return path


def show_region(
    region: Annotated[str, typer.Argument(help="The region.")],
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """One region, with what it lies in and which warehouses name it or that."""
    with connected(server, json=json) as client:
        found = client.catalog.GetRegion(pb.GetRegionRequest(region=region))
        regions = list(_all(client.catalog.ListRegions, pb.ListRegionsRequest, "regions"))
        path = _path({it.region: it.parent for it in regions}, region)
        covering = [
            it.warehouse
            for it in _all(client.catalog.ListWarehouses, pb.ListWarehousesRequest, "warehouses")
            if set(path) & set(it.coverage.regions)
            or (it.tier == pb.TIER_CENTRAL and not it.coverage.regions)
        ]
    if json:
        show_json({**as_dict(found), "path": path[::-1], "covered_by": covering})
        return
    below = [it.region for it in regions if it.parent == region]
    facts = {
        "title": found.title,
        "path": " > ".join(path[::-1]),
        "holds": _some(below),
        "centroid": _point(found, "centroid"),
        "covered by": ", ".join(covering),
        "etag": found.etag,
    }
    show_table(region, [{"fact": name, "value": value} for name, value in facts.items() if value])


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    warehouse = typer.Typer(help="Warehouses.", no_args_is_help=True)
    warehouse.command("list")(list_warehouses)
    warehouse.command("show")(show_warehouse)
    warehouse.command("set")(set_warehouse)
    app.add_typer(warehouse, name="warehouse")
    region = typer.Typer(help="Regions.", no_args_is_help=True)
    region.command("list")(list_regions)
    region.command("show")(show_region)
    app.add_typer(region, name="region")
