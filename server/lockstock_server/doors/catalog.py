"""CatalogService on this door: a table of methods over the catalogue."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.catalog.imports import Import
from lockstock_server.catalog.kinds import COLLECTIONS, SHOP, Kind
from lockstock_server.doors.raw import read
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockstock_server.catalog.kinds import Document
    from lockstock_server.catalog.service import Catalog
    from lockstock_server.doors.calls import Payload
    from lockstock_server.doors.raw import Unary
    from lockstock_server.doors.status import Statuses

SERVICE = pb.DESCRIPTOR.services_by_name["CatalogService"]


def unary(catalog: Catalog, statuses: Statuses) -> dict[str, Unary]:
    """Give every method of the service, by its full name."""
    methods: dict[str, Callable[[Any], Any]] = {
        "GetShop": partial(_get_shop, catalog),
        "UpdateShop": partial(_update, catalog, SHOP),
    }
    for kind in COLLECTIONS:
        methods |= {
            f"Create{kind.title}": partial(_create, catalog, kind),
            f"Get{kind.title}": partial(_get, catalog, kind),
            f"List{kind.title}s": partial(_list, catalog, kind),
            f"Update{kind.title}": partial(_update, catalog, kind),
            f"Import{kind.title}s": partial(_import, statuses, catalog, kind),
        }
    return {
        f"/{SERVICE.full_name}/{name}": partial(_serve, getattr(pb, f"{name}Request"), method)
        for name, method in methods.items()
    }


async def _serve(request: type[Any], method: Callable[[Any], Any], message: bytes) -> Payload:
    answer = await method(read(request, message))
    return True, answer.SerializeToString(deterministic=True)


def _asked(kind: Kind, request: Any) -> Document:
    if not request.HasField(kind.name):
        raise Refused("FIELD_REQUIRED", field=kind.name)
    document: Document = getattr(request, kind.name)
    return document


async def _create(catalog: Catalog, kind: Kind, request: Any) -> Document:
    return await catalog.create(kind, _asked(kind, request), request.request_id)


async def _get(catalog: Catalog, kind: Kind, request: Any) -> Document:
    return await catalog.get(kind, getattr(request, kind.name))


async def _get_shop(catalog: Catalog, _: pb.GetShopRequest) -> Document:
    return await catalog.shop()


async def _list(catalog: Catalog, kind: Kind, request: Any) -> Any:
    documents, following = await catalog.page(kind, request.page_size, request.page_token)
    response = getattr(pb, f"List{kind.title}sResponse")(next_page_token=following)
    getattr(response, kind.plural).extend(documents)
    return response


async def _update(catalog: Catalog, kind: Kind, request: Any) -> Document:
    document = _asked(kind, request)
    return await catalog.update(kind, document, request.update_mask.paths, request.request_id)


async def _import(statuses: Statuses, catalog: Catalog, kind: Kind, request: Any) -> pb.ImportResponse:
    rows = getattr(request, kind.plural)
    assumed = {
        known.name: frozenset(getattr(request, f"assumed_{known.plural}", ())) for known in COLLECTIONS
    }
    if request.validate_only:
        outcomes = await Import(catalog, kind).preview(rows, assumed)
    elif any(assumed.values()):
        raise Refused(
            "FIELDS_CONFLICT", field=next(f"assumed_{it.plural}" for it in COLLECTIONS if assumed[it.name])
        )
    else:
        outcomes = await Import(catalog, kind).run(rows)
    response = pb.ImportResponse()
    for row, outcome in zip(rows, outcomes, strict=True):
        answer = response.rows.add(id=kind.id_of(row))
        if isinstance(outcome, Refused):
            answer.refused.CopyFrom(statuses.of(outcome))
            continue
        setattr(answer, outcome.result, outcome.etag)
        for change in outcome.changes:
            answer.changes.add(field=change.field, old=change.old, new=change.new)
    return response
