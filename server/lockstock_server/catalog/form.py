"""The form of documents: what can be judged by looking at one document alone.

Every check raises Refused with the path of the field as the caller wrote it (`warehouse.rank`,
`skus[3].title`).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lockstock_server.catalog.kinds import Document, Kind

ID_BYTES_MAX = 64
TITLE_BYTES_MAX = 256
RANK_MAX = 1_000_000
COVERAGE_REGIONS_MAX = 1_000
ASSORTMENT_SKUS_MAX = 10_000
ASSORTMENT_CATEGORIES_MAX = 1_000
RADIUS_KM_MAX = 20_040.0
"""Half the earth's circumference, rounded up: a longer radius says nothing more."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
"""The control characters: all of Unicode's category Cc."""


def check_id(field: str, value: str) -> None:
    """Refuse an id that is empty, too long or holds control characters."""
    if not value:
        raise Refused("FIELD_REQUIRED", field=field)
    check_optional_id(field, value)


def check_optional_id(field: str, value: str) -> None:
    """Refuse an id that is too long or holds control characters."""
    if value and not is_id(value):
        raise Refused("ID_INVALID", field=field)


def is_id(value: str) -> bool:
    """Tell whether this can be an id: not empty, not too long, without control characters."""
    return bool(value) and not (_longer(value, ID_BYTES_MAX) or _CONTROL.search(value))


def check_text(field: str, value: str, limit: int) -> None:
    """Refuse a text of more than `limit` bytes."""
    if _longer(value, limit):
        raise Refused("TEXT_TOO_LONG", field=field, limit=limit)


def _longer(value: str, limit: int) -> bool:
    return len(value) > limit or (not value.isascii() and len(value.encode()) > limit)


def check_number(field: str, value: float, lowest: float, highest: float) -> None:
    """Refuse a number out of its bounds, and what is no number."""
    if not (math.isfinite(value) and lowest <= value <= highest):
        limit = f"{_written(lowest)} to {_written(highest)}"
        raise Refused("NUMBER_OUT_OF_RANGE", field=field, value=_written(value), limit=limit)


def _written(value: float) -> str:
    """A number with all its digits, so that one just beyond a limit does not read as the limit."""
    return str(value).removesuffix(".0")


def check_enum(field: str, value: int, known: Sequence[int]) -> None:
    """Refuse a value that this server does not know, and none (0)."""
    if value == 0 or value not in known:
        raise Refused("ENUM_UNKNOWN", field=field, value=value)


def check_ids(field: str, values: Sequence[str], limit: int) -> None:
    """Refuse too many ids, one of a wrong form, and one named twice."""
    if len(values) > limit:
        raise Refused("TOO_MANY_LINES", field=field, limit=limit)
    seen: set[str] = set()
    for at, value in enumerate(values):
        check_id(f"{field}[{at}]", value)
        if value in seen:
            raise Refused("LINE_REPEATED", field=f"{field}[{at}]", value=value)
        seen.add(value)


def check_point(field: str, point: pb.Coordinates) -> None:
    """Refuse a point that is not on the earth."""
    check_number(f"{field}.latitude", point.latitude, -90, 90)
    check_number(f"{field}.longitude", point.longitude, -180, 180)


def check_policy(field: str, value: int) -> None:
    """Refuse a policy that this server does not know; none is one: the next rule up decides."""
    if value:
        check_enum(field, value, pb.DeductionPolicy.values())


def _check_sku(path: str, sku: pb.Sku) -> None:
    check_optional_id(f"{path}.category", sku.category)
    check_policy(f"{path}.deduction_policy", sku.deduction_policy)


def _check_shop(path: str, shop: pb.Shop) -> None:
    check_policy(f"{path}.deduction_policy", shop.deduction_policy)


def _check_warehouse(path: str, warehouse: pb.Warehouse) -> None:
    check_enum(f"{path}.tier", warehouse.tier, pb.Tier.values())
    check_enum(f"{path}.state", warehouse.state, pb.WarehouseState.values())
    check_number(f"{path}.rank", warehouse.rank, 0, RANK_MAX)
    check_ids(f"{path}.coverage.regions", warehouse.coverage.regions, COVERAGE_REGIONS_MAX)
    check_number(f"{path}.coverage.radius_km", warehouse.coverage.radius_km, 0, RADIUS_KM_MAX)
    if warehouse.coverage.radius_km and warehouse.tier != pb.TIER_FRONT:
        raise Refused("FIELDS_CONFLICT", field=f"{path}.coverage.radius_km")
    if warehouse.coverage.radius_km and not warehouse.HasField("location"):
        # A circle without a middle reaches nobody.
        raise Refused("FIELD_REQUIRED", field=f"{path}.location")
    check_ids(f"{path}.assortment.skus", warehouse.assortment.skus, ASSORTMENT_SKUS_MAX)
    check_ids(f"{path}.assortment.categories", warehouse.assortment.categories, ASSORTMENT_CATEGORIES_MAX)
    check_optional_id(f"{path}.parent", warehouse.parent)
    if warehouse.HasField("location"):
        check_point(f"{path}.location", warehouse.location)


def _check_region(path: str, region: pb.Region) -> None:
    check_optional_id(f"{path}.parent", region.parent)
    if region.HasField("centroid"):
        check_point(f"{path}.centroid", region.centroid)


def _check_channel(path: str, channel: pb.Channel) -> None:
    check_enum(f"{path}.kind", channel.kind, pb.ChannelKind.values())


_CHECKS: Mapping[str, Callable[[str, Document], None]] = {
    "sku": _check_sku,  # type: ignore[dict-item] # each kind is checked by its own rule
    "warehouse": _check_warehouse,  # type: ignore[dict-item]
    "region": _check_region,  # type: ignore[dict-item]
    "channel": _check_channel,  # type: ignore[dict-item]
    "shop": _check_shop,  # type: ignore[dict-item]
}


def check(kind: Kind, path: str, document: Document) -> None:
    """Refuse a document of wrong form; `path` is where it stands in the request."""
    check_id(f"{path}.{kind.name}", kind.id_of(document))
    if not isinstance(document, pb.Shop):
        check_text(f"{path}.title", document.title, TITLE_BYTES_MAX)
    _CHECKS[kind.name](path, document)


def normalised(document: Document) -> Document:
    """The document as it is kept: without its etag, and without parts that say nothing."""
    kept = type(document)()
    kept.CopyFrom(document)  # type: ignore[arg-type] # the same type by construction
    kept.ClearField("etag")
    if isinstance(kept, pb.Warehouse):
        for part in ("coverage", "assortment"):
            if kept.HasField(part) and not getattr(kept, part).ByteSize():
                kept.ClearField(part)
    return kept
