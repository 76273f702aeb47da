"""The rules of the catalogue that need nothing but a document: form, masks, pages, bodies, order of rows."""

from __future__ import annotations

import unicodedata

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from lockstock.v1 import catalog_pb2 as pb
from lockstock_server.catalog import bodies, form, masks, pages, rows
from lockstock_server.catalog.kinds import CHANNEL, KINDS, REGION, SHOP, SKU, WAREHOUSE, Document, Kind
from lockstock_server.refusals import Refused

ACTIVE = pb.WAREHOUSE_STATE_ACTIVE
ON_PAYMENT = pb.DEDUCTION_POLICY_ON_PAYMENT


def a_warehouse(**fields: object) -> pb.Warehouse:
    return pb.Warehouse(**{"warehouse": "W", "tier": pb.TIER_CITY, "state": ACTIVE, **fields})  # type: ignore[arg-type]


FORMS: list[tuple[Kind, Document, str, str]] = [
    (SKU, pb.Sku(), "FIELD_REQUIRED", "it.sku"),
    (SKU, pb.Sku(sku="x" * 65), "ID_INVALID", "it.sku"),
    (SKU, pb.Sku(sku="a\nb"), "ID_INVALID", "it.sku"),
    (SKU, pb.Sku(sku="a", title="é" * 129), "TEXT_TOO_LONG", "it.title"),
    (SKU, pb.Sku(sku="a", category="c" * 65), "ID_INVALID", "it.category"),
    (SKU, pb.Sku(sku="a", deduction_policy=3), "ENUM_UNKNOWN", "it.deduction_policy"),  # type: ignore[arg-type]
    (SHOP, pb.Shop(deduction_policy=-1), "ENUM_UNKNOWN", "it.deduction_policy"),  # type: ignore[arg-type]
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
        a_warehouse(tier=pb.TIER_FRONT, coverage=pb.Coverage(radius_km=1)),
        "FIELD_REQUIRED",
        "it.location",
    ),
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
        (SKU, pb.Sku(sku="é" * 32, title="t" * 256, category="c" * 64, deduction_policy=ON_PAYMENT)),
        (SHOP, pb.Shop()),
        (SHOP, pb.Shop(deduction_policy=ON_PAYMENT)),
        (REGION, pb.Region(region="r", centroid=pb.Coordinates(latitude=-90, longitude=180))),
        (CHANNEL, pb.Channel(channel="c", kind=pb.CHANNEL_KIND_OWN)),
        (
            WAREHOUSE,
            a_warehouse(
                tier=pb.TIER_FRONT,
                rank=1_000_000,
                coverage=pb.Coverage(radius_km=20_040),
                location=pb.Coordinates(latitude=31.2, longitude=121.5),
            ),
        ),
    ],
)
def test_a_document_at_its_bounds_is_taken(kind: Kind, document: Document) -> None:
    form.check(kind, "it", document)


@pytest.mark.parametrize(
    ("document", "value", "limit"),
    [
        (a_warehouse(rank=1_000_001), "1000001", "0 to 1000000"),
        (a_warehouse(coverage=pb.Coverage(radius_km=20_040.5)), "20040.5", "0 to 20040"),
        (a_warehouse(coverage=pb.Coverage(radius_km=float("inf"))), "inf", "0 to 20040"),
    ],
)
def test_a_number_out_of_its_bounds_is_told_with_all_its_digits(
    document: Document, value: str, limit: str
) -> None:
    with pytest.raises(Refused) as refused:
        form.check(WAREHOUSE, "it", document)
    assert (refused.value.metadata["value"], refused.value.metadata["limit"]) == (value, limit)


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


def test_a_page_begins_behind_the_id_of_its_token_and_has_a_default_size() -> None:
    assert pages.asked("skus", 7, pages.token("skus", "c")) == ("c", 7)
    assert pages.asked("skus", 0, "") == ("", pages.PAGE_SIZE_DEFAULT)


@pytest.mark.parametrize("token", ["x", "!!!!", "AAAA", "AAAAAAAAAAAAAAAA", "é"])
def test_a_token_that_was_never_made_is_refused(token: str) -> None:
    with pytest.raises(Refused, match="PAGE_TOKEN_INVALID"):
        pages.asked("skus", 1, token)


def test_a_token_of_another_list_is_refused() -> None:
    with pytest.raises(Refused, match="PAGE_TOKEN_INVALID"):
        pages.asked("regions", 1, pages.token("skus", "a"))


@pytest.mark.parametrize("size", [-1, 1_001])
def test_a_page_size_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(Refused) as refused:
        pages.asked("skus", size, "")
    assert (refused.value.reason, refused.value.metadata["field"]) == ("NUMBER_OUT_OF_RANGE", "page_size")


def test_a_body_is_the_same_for_the_same_document_and_leaves_the_etag_out() -> None:
    one = a_warehouse(title="Ö", etag="7", location=pb.Coordinates(latitude=1.5))
    other = a_warehouse(title="Ö", etag="8", location=pb.Coordinates(latitude=1.5))
    assert bodies.write(one) == bodies.write(other)
    assert bodies.read(WAREHOUSE, bodies.write(one)) == form.normalised(one)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
POINTS = st.none() | st.builds(
    pb.Coordinates,
    latitude=st.floats(-90, 90, allow_nan=False),
    longitude=st.floats(-180, 180, allow_nan=False),
)
WAREHOUSES = st.builds(
    pb.Warehouse,
    warehouse=TEXTS,
    title=TEXTS,
    tier=st.sampled_from(pb.Tier.values()),
    rank=st.integers(0, form.RANK_MAX),
    coverage=st.none()
    | st.builds(pb.Coverage, regions=st.lists(TEXTS), radius_km=st.floats(0, form.RADIUS_KM_MAX)),
    assortment=st.none() | st.builds(pb.Assortment, skus=st.lists(TEXTS), categories=st.lists(TEXTS)),
    parent=TEXTS,
    pickup=st.booleans(),
    state=st.sampled_from(pb.WarehouseState.values()),
    location=POINTS,
    etag=TEXTS,
)
SKUS = st.builds(
    pb.Sku,
    sku=TEXTS,
    title=TEXTS,
    category=TEXTS,
    etag=TEXTS,
    deduction_policy=st.sampled_from(pb.DeductionPolicy.values()),
)


@given(document=WAREHOUSES | SKUS)
def test_a_body_says_what_json_format_says_of_the_document(document: pb.Warehouse | pb.Sku) -> None:
    said = json_format.MessageToDict(document, preserving_proto_field_name=True)
    said.pop("etag", None)
    assert bodies.write(document) == bodies.canonical(said)
    kind = WAREHOUSE if isinstance(document, pb.Warehouse) else SKU
    document.ClearField("etag")
    assert bodies.read(kind, bodies.write(document)) == document


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_has_no_field_that_json_writes_otherwise(kind: Kind) -> None:
    waiting = [kind.message.DESCRIPTOR]
    while waiting:
        message = waiting.pop()
        for field in message.fields:
            assert not message.GetOptions().map_entry, field.full_name
            assert field.type in {
                field.TYPE_STRING,
                field.TYPE_INT32,
                field.TYPE_BOOL,
                field.TYPE_DOUBLE,
            } or (field.type in {field.TYPE_ENUM, field.TYPE_MESSAGE}), field.full_name
            if field.message_type is not None:
                waiting.append(field.message_type)


@given(text=st.text(st.characters(codec="utf-8"), max_size=80))
def test_an_id_is_short_and_has_no_control_character(text: str) -> None:
    bad = len(text.encode()) > form.ID_BYTES_MAX or any(unicodedata.category(sign) == "Cc" for sign in text)
    try:
        form.check_optional_id("it", text)
    except Refused:
        assert bad
    else:
        assert not bad


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
