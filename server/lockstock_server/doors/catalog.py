"""CatalogService on this door: a table of methods over the catalogue."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from google.rpc import status_pb2
from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.catalog.imports import Import
from lockstock_server.catalog.kinds import KINDS, Kind
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
    table: dict[str, Unary] = {}
    for kind in KINDS:
        methods: dict[str, Callable[..., Any]] = {
            f"Create{kind.title}": _create,
            f"Get{kind.title}": _get,
            f"List{kind.title}s": _list,
            f"Update{kind.title}": _update,
            f"Import{kind.title}s": partial(_import, statuses),
        }
        for name, method in methods.items():
            request: type[Any] = getattr(pb, f"{name}Request")
            table[f"/{SERVICE.full_name}/{name}"] = partial(_serve, request, partial(method, catalog, kind))
    return table


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
    return catalog.get(kind, getattr(request, kind.name))


async def _list(catalog: Catalog, kind: Kind, request: Any) -> Any:
    documents, following = catalog.page(kind, request.page_size, request.page_token)
    response = getattr(pb, f"List{kind.title}sResponse")(next_page_token=following)
    getattr(response, kind.plural).extend(documents)
    return response


async def _update(catalog: Catalog, kind: Kind, request: Any) -> Document:
    document = _asked(kind, request)
    return await catalog.update(kind, document, request.update_mask.paths, request.request_id)


async def _import(statuses: Statuses, catalog: Catalog, kind: Kind, request: Any) -> pb.ImportResponse:
    rows = getattr(request, kind.plural)
    response = pb.ImportResponse()
    for row, outcome in zip(rows, await Import(catalog, kind).run(rows), strict=True):
        answer = response.rows.add(id=kind.id_of(row))
        if isinstance(outcome, Refused):
            answer.refused.CopyFrom(_status(statuses, outcome))
        else:
            setattr(answer, *outcome)
    return response


def _status(statuses: Statuses, refused: Refused) -> status_pb2.Status:
    return statuses.of(refused)
