"""The rules of the catalogue that need nothing but a document: form, masks, pages, bodies, order of rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockstock.v1 import catalog_pb2 as pb
from lockstock_server.catalog import bodies, form, masks, pages, rows
from lockstock_server.catalog.kinds import CHANNEL, REGION, SKU, WAREHOUSE, Document, Kind
from lockstock_server.refusals import Refused

ACTIVE = pb.WAREHOUSE_STATE_ACTIVE


def a_warehouse(**fields: object) -> pb.Warehouse:
    return pb.Warehouse(**{"warehouse": "W", "tier": pb.TIER_CITY, "state": ACTIVE, **fields})  # type: ignore[arg-type]


FORMS: list[tuple[Kind, Document, str, str]] = [
    (SKU, pb.Sku(), "FIELD_REQUIRED", "it.sku"),
    (SKU, pb.Sku(sku="x" * 65), "ID_INVALID", "it.sku"),
    (SKU, pb.Sku(sku="a\nb"), "ID_INVALID", "it.sku"),
    (SKU, pb.Sku(sku="a", title="é" * 129), "TEXT_TOO_LONG", "it.title"),
    (SKU, pb.Sku(sku="a", category="c" * 65), "ID_INVALID", "it.category"),
    (CHANNEL, pb.Channel(channel="c"), "ENUM_UNKNOWN", "it.kind"),
    (CHANNEL, pb.Channel(channel="c", kind=9), "ENUM_UNKNOWN", "it.kind"),  # type: ignore[arg-type]
    (
        REGION,
        pb.Region(region="r", centroid=pb.Coordinates(latitude=91)),
        "NUMBER_OUT_OF_RANGE",
        "it.centroid.latitude",
    ),
    (REGION, pb.Region(region="r", parent="\x7f"), "ID_INVALID", "it.parent"),
    (WAREHOUSE, a_warehouse(tier=pb.TIER_UNSPECIFIED), "ENUM_UNKNOWN", "it.tier"),
    (WAREHOUSE, a_warehouse(tier=77), "ENUM_UNKNOWN", "it.tier"),
    (WAREHOUSE, a_warehouse(state=pb.WAREHOUSE_STATE_UNSPECIFIED), "ENUM_UNKNOWN", "it.state"),
    (WAREHOUSE, a_warehouse(rank=-1), "NUMBER_OUT_OF_RANGE", "it.rank"),
    (WAREHOUSE, a_warehouse(rank=1_000_001), "NUMBER_OUT_OF_RANGE", "it.rank"),
    (
        WAREHOUSE,
        a_warehouse(coverage=pb.Coverage(regions=["a", "a"])),
        "LINE_REPEATED",
        "it.coverage.regions[1]",
    ),
    (WAREHOUSE, a_warehouse(coverage=pb.Coverage(regions=[""])), "FIELD_REQUIRED", "it.coverage.regions[0]"),
    (
        WAREHOUSE,
        a_warehouse(coverage=pb.Coverage(regions=[str(n) for n in range(1_001)])),
        "TOO_MANY_LINES",
        "it.coverage.regions",
    ),
    (WAREHOUSE, a_warehouse(coverage=pb.Coverage(radius_km=1)), "FIELDS_CONFLICT", "it.coverage.radius_km"),
    (
        WAREHOUSE,
        a_warehouse(tier=pb.TIER_FRONT, coverage=pb.Coverage(radius_km=float("nan"))),
        "NUMBER_OUT_OF_RANGE",
        "it.coverage.radius_km",
    ),
    (
        WAREHOUSE,
        a_warehouse(assortment=pb.Assortment(categories=[str(n) for n in range(1_001)])),
        "TOO_MANY_LINES",
        "it.assortment.categories",
    ),
    (
        WAREHOUSE,
        a_warehouse(location=pb.Coordinates(longitude=float("inf"))),
        "NUMBER_OUT_OF_RANGE",
        "it.location.longitude",
    ),
]


@pytest.mark.parametrize(("kind", "document", "reason", "field"), FORMS)
def test_a_document_of_wrong_form_is_refused_by_reason_and_field(
    kind: Kind, document: Document, reason: str, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        form.check(kind, "it", document)
    assert (refused.value.reason, refused.value.metadata["field"]) == (reason, field)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (SKU, pb.Sku(sku="é" * 32, title="t" * 256, category="c" * 64)),
        (REGION, pb.Region(region="r", centroid=pb.Coordinates(latitude=-90, longitude=180))),
        (CHANNEL, pb.Channel(channel="c", kind=pb.CHANNEL_KIND_OWN)),
        (WAREHOUSE, a_warehouse(tier=pb.TIER_FRONT, rank=1_000_000, coverage=pb.Coverage(radius_km=3.5))),
    ],
)
def test_a_document_at_its_bounds_is_taken(kind: Kind, document: Document) -> None:
    form.check(kind, "it", document)


def test_a_mask_changes_the_named_fields_and_no_other() -> None:
    current = pb.Sku(sku="a", title="old", category="books")
    asked = pb.Sku(sku="a", title="new", category="toys")
    assert masks.merged(SKU, current, asked, ["title"]) == pb.Sku(sku="a", title="new", category="books")


def test_a_mask_can_empty_a_field() -> None:
    current = a_warehouse(location=pb.Coordinates(latitude=1), coverage=pb.Coverage(regions=["x", "y"]))
    asked = pb.Warehouse(warehouse="W", coverage=pb.Coverage(regions=["z"]))
    merged = masks.merged(WAREHOUSE, current, asked, ["location", "coverage"])
    assert merged == a_warehouse(coverage=pb.Coverage(regions=["z"]))


def test_no_mask_changes_all_but_the_id() -> None:
    current = a_warehouse(title="old", rank=3, pickup=True)
    asked = a_warehouse(title="new")
    assert masks.merged(WAREHOUSE, current, asked, []) == asked


@pytest.mark.parametrize("path", ["sku", "etag", "nothing", "title.x", "*", ""])
def test_a_mask_names_only_fields_that_can_be_updated(path: str) -> None:
    with pytest.raises(Refused) as refused:
        masks.merged(SKU, pb.Sku(sku="a"), pb.Sku(sku="a"), [path])
    assert (refused.value.reason, refused.value.metadata) == ("FIELD_MASK_INVALID", {"field": path})


@given(ids=st.sets(st.text(min_size=1, max_size=5)), size=st.integers(1, 7))
def test_pages_give_every_id_once_and_in_order(ids: set[str], size: int) -> None:
    listing = sorted(ids)
    seen: list[str] = []
    token = ""
    while True:
        shown, token = pages.page(listing, "skus", size, token)
        seen.extend(shown)
        if not token:
            break
        assert len(shown) == size
    assert seen == listing


def test_a_page_goes_on_behind_its_last_id_although_ids_were_added_and_are_gone() -> None:
    _, token = pages.page(["a", "c", "e"], "skus", 2, "")
    assert pages.page(["a", "b", "d", "e"], "skus", 2, token) == (["d", "e"], "")


@pytest.mark.parametrize("token", ["x", "!!!!", "AAAA", "AAAAAAAAAAAAAAAA", "é"])
def test_a_token_that_was_never_made_is_refused(token: str) -> None:
    with pytest.raises(Refused, match="PAGE_TOKEN_INVALID"):
        pages.page(["a"], "skus", 1, token)


def test_a_token_of_another_list_is_refused() -> None:
    _, token = pages.page(["a", "b"], "skus", 1, "")
    with pytest.raises(Refused, match="PAGE_TOKEN_INVALID"):
        pages.page(["a", "b"], "regions", 1, token)


@pytest.mark.parametrize("size", [-1, 1_001])
def test_a_page_size_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(Refused) as refused:
        pages.page(["a"], "skus", size, "")
    assert (refused.value.reason, refused.value.metadata["field"]) == ("NUMBER_OUT_OF_RANGE", "page_size")


def test_a_body_is_the_same_for_the_same_document_and_leaves_the_etag_out() -> None:
    one = a_warehouse(title="Ö", etag="7", location=pb.Coordinates(latitude=1.5))
    other = a_warehouse(title="Ö", etag="8", location=pb.Coordinates(latitude=1.5))
    assert bodies.write(one) == bodies.write(other)
    assert bodies.read(WAREHOUSE, bodies.write(one)) == form.normalised(one)


def test_a_body_keeps_fields_of_a_newer_server_from_being_an_error() -> None:
    assert bodies.read(SKU, b'{"sku":"a","of_tomorrow":1}') == pb.Sku(sku="a")


def test_rows_come_after_the_rows_of_their_parents() -> None:
    table = [("c", "b"), ("b", "a"), ("x", "elsewhere"), ("a", ""), ("d", "b")]
    regions = [pb.Region(region=region, parent=parent) for region, parent in table]
    assert rows.levels(REGION, regions) == [[2, 3], [1], [0, 4]]


def test_rows_that_are_a_cycle_come_last_with_all_that_hangs_on_them() -> None:
    table = [("p", "q"), ("q", "p"), ("under", "p"), ("self", "self"), ("a", "")]
    regions = [pb.Region(region=region, parent=parent) for region, parent in table]
    assert rows.levels(REGION, regions) == [[4], [0, 1, 2, 3]]
