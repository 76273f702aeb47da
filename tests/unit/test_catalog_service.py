"""The catalogue over an engine with memory: versions, repeated requests, plans in the same step, imports."""

from __future__ import annotations

from typing import cast

import pytest
from fake_documents import FakeDocuments
from lockstock.internal.v1 import documents_pb2 as seam
from lockstock.v1 import catalog_pb2 as pb
from lockstock_server.catalog.documents import Documents
from lockstock_server.catalog.imports import Done, Import
from lockstock_server.catalog.kinds import CHANNEL, REGION, SKU, WAREHOUSE, Kind
from lockstock_server.catalog.service import Catalog
from lockstock_server.refusals import Refused


def a_catalog(fake: FakeDocuments) -> Catalog:
    return Catalog(Documents(fake.call))


@pytest.fixture
def fake() -> FakeDocuments:
    return FakeDocuments()


@pytest.fixture
def catalog(fake: FakeDocuments) -> Catalog:
    return a_catalog(fake)


def warehouse(
    name: str, tier: pb.Tier.ValueType = pb.TIER_CITY, regions: tuple[str, ...] = ()
) -> pb.Warehouse:
    return pb.Warehouse(warehouse=name, tier=tier, coverage=pb.Coverage(regions=regions))


async def two_regions(catalog: Catalog) -> None:
    await catalog.create(REGION, pb.Region(region="cn"), "")
    await catalog.create(REGION, pb.Region(region="sh", parent="cn"), "")


def reason(refused: pytest.ExceptionInfo[Refused]) -> tuple[str, dict[str, str]]:
    return refused.value.reason, refused.value.metadata


async def test_what_is_created_is_read_with_its_etag(catalog: Catalog) -> None:
    made = await catalog.create(SKU, pb.Sku(sku="book", title="A book"), "")
    assert made == pb.Sku(sku="book", title="A book", etag="1")
    assert await catalog.get(SKU, "book") == made


async def test_a_document_of_the_same_id_is_refused(catalog: Catalog) -> None:
    await catalog.create(CHANNEL, pb.Channel(channel="web", kind=pb.CHANNEL_KIND_OWN), "")
    with pytest.raises(Refused) as refused:
        await catalog.create(CHANNEL, pb.Channel(channel="web", kind=pb.CHANNEL_KIND_OWN), "")
    assert reason(refused) == ("DOCUMENT_EXISTS", {"kind": "channel", "id": "web"})


async def test_a_new_document_has_no_etag_yet(catalog: Catalog) -> None:
    with pytest.raises(Refused) as refused:
        await catalog.create(SKU, pb.Sku(sku="book", etag="1"), "")
    assert reason(refused) == ("FIELDS_CONFLICT", {"field": "sku.etag"})


@pytest.mark.parametrize(
    ("kind", "word"), [(SKU, "SKU"), (WAREHOUSE, "WAREHOUSE"), (REGION, "REGION"), (CHANNEL, "CHANNEL")]
)
async def test_what_is_not_there_is_not_found(catalog: Catalog, kind: Kind, word: str) -> None:
    with pytest.raises(Refused) as refused:
        await catalog.get(kind, "none")
    assert reason(refused) == (f"{word}_NOT_FOUND", {kind.name: "none"})


async def test_an_update_with_the_etag_that_was_read_goes_through(catalog: Catalog) -> None:
    made = await catalog.create(SKU, pb.Sku(sku="book", category="paper"), "")
    changed = await catalog.update(SKU, pb.Sku(sku="book", title="New", etag=made.etag), ["title"], "")
    assert changed == pb.Sku(sku="book", title="New", category="paper", etag="2")


@pytest.mark.parametrize("etag", ["1", "3", "nonsense", "02"])
async def test_an_update_with_another_etag_is_aborted(catalog: Catalog, etag: str) -> None:
    await catalog.create(SKU, pb.Sku(sku="book"), "")
    await catalog.update(SKU, pb.Sku(sku="book", title="2"), [], "")
    with pytest.raises(Refused) as refused:
        await catalog.update(SKU, pb.Sku(sku="book", title="late", etag=etag), [], "")
    assert reason(refused) == ("STALE_VERSION", {"id": "book", "expected": etag, "current": "2"})
    assert cast("pb.Sku", await catalog.get(SKU, "book")).title == "2"


async def test_an_update_without_an_etag_is_of_any_version(catalog: Catalog) -> None:
    await catalog.create(SKU, pb.Sku(sku="book"), "")
    assert (await catalog.update(SKU, pb.Sku(sku="book", title="any"), [], "")).etag == "2"


async def test_a_state_that_is_not_said_is_active_when_creating_and_refused_when_updating(
    catalog: Catalog,
) -> None:
    made = cast("pb.Warehouse", await catalog.create(WAREHOUSE, warehouse("W"), ""))
    assert made.state == pb.WAREHOUSE_STATE_ACTIVE
    with pytest.raises(Refused) as refused:
        await catalog.update(WAREHOUSE, warehouse("W"), [], "")
    assert reason(refused) == ("ENUM_UNKNOWN", {"field": "warehouse.state", "value": "0"})


@pytest.mark.parametrize(
    ("document", "field", "value"),
    [
        (warehouse("W", regions=("sh", "nowhere")), "warehouse.coverage.regions[1]", "nowhere"),
        (pb.Warehouse(warehouse="W", tier=pb.TIER_CITY, parent="none"), "warehouse.parent", "none"),
        (pb.Warehouse(warehouse="W", tier=pb.TIER_CITY, parent="W"), "warehouse.parent", "W"),
    ],
)
async def test_a_reference_to_what_is_not_there_is_refused(
    catalog: Catalog, document: pb.Warehouse, field: str, value: str
) -> None:
    await two_regions(catalog)
    with pytest.raises(Refused) as refused:
        await catalog.create(WAREHOUSE, document, "")
    assert reason(refused) == ("REFERENCE_INVALID", {"field": field, "value": value})


async def test_a_parent_that_would_make_a_cycle_is_refused(catalog: Catalog) -> None:
    await two_regions(catalog)
    with pytest.raises(Refused) as refused:
        await catalog.update(REGION, pb.Region(region="cn", parent="sh"), ["parent"], "")
    assert reason(refused) == ("REFERENCE_INVALID", {"field": "region.parent", "value": "sh"})


async def test_a_warehouse_and_every_plan_it_changes_are_one_change(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    await two_regions(catalog)
    await catalog.create(REGION, pb.Region(region="de"), "")
    before = len(fake.changes)
    await catalog.create(WAREHOUSE, warehouse("W", regions=("cn",)), "")
    assert len(fake.changes) == before + 1
    kinds = [(put.kind, put.id) for put in fake.changes[-1].documents]
    plan = seam.DOCUMENT_KIND_ROUTE_PLAN
    assert kinds == [(seam.DOCUMENT_KIND_WAREHOUSE, "W"), (plan, "cn"), (plan, "sh")]
    assert fake.plan("sh") == ["W"]


async def test_a_change_that_changes_no_plan_puts_none(catalog: Catalog, fake: FakeDocuments) -> None:
    await two_regions(catalog)
    await catalog.create(WAREHOUSE, warehouse("W", regions=("cn",)), "")
    await catalog.update(WAREHOUSE, pb.Warehouse(warehouse="W", title="named"), ["title"], "")
    assert [put.id for put in fake.changes[-1].documents] == ["W"]


async def test_a_new_region_gets_the_plan_of_what_covers_it(catalog: Catalog, fake: FakeDocuments) -> None:
    await catalog.create(WAREHOUSE, warehouse("C", pb.TIER_CENTRAL), "")
    await catalog.create(REGION, pb.Region(region="cn"), "")
    assert fake.plan("cn") == ["C"]
    await catalog.create(WAREHOUSE, warehouse("F", pb.TIER_FRONT, ("cn",)), "")
    await catalog.create(REGION, pb.Region(region="sh", parent="cn"), "")
    assert fake.plan("sh") == ["F", "C"]


async def test_a_region_that_moves_takes_the_plans_below_it_along(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    await two_regions(catalog)
    await catalog.create(REGION, pb.Region(region="de"), "")
    await catalog.create(WAREHOUSE, warehouse("W", regions=("cn",)), "")
    await catalog.update(REGION, pb.Region(region="sh", parent="de"), ["parent"], "")
    assert fake.plan("sh") == []
    assert fake.plan("cn") == ["W"]


async def test_a_closed_warehouse_is_on_no_plan_and_a_paused_one_stays(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    await two_regions(catalog)
    await catalog.create(WAREHOUSE, warehouse("W", regions=("cn",)), "")
    for state, plan in [(pb.WAREHOUSE_STATE_PAUSED, ["W"]), (pb.WAREHOUSE_STATE_CLOSED, [])]:
        await catalog.update(WAREHOUSE, pb.Warehouse(warehouse="W", state=state), ["state"], "")
        assert fake.plan("cn") == plan


async def test_a_change_that_the_engine_refuses_leaves_view_and_plans_as_they_were(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    await two_regions(catalog)
    await catalog.create(WAREHOUSE, warehouse("W", regions=("cn",)), "")
    fake.refuse["W"] = "WAREHOUSE_NOT_EMPTY"
    closed = pb.Warehouse(warehouse="W", state=pb.WAREHOUSE_STATE_CLOSED)
    with pytest.raises(Refused, match="WAREHOUSE_NOT_EMPTY"):
        await catalog.update(WAREHOUSE, closed, ["state"], "")
    stored = cast("pb.Warehouse", await catalog.get(WAREHOUSE, "W"))
    assert stored.state == pb.WAREHOUSE_STATE_ACTIVE
    await catalog.create(REGION, pb.Region(region="bj", parent="cn"), "")
    assert fake.plan("bj") == ["W"]


async def test_a_retried_create_gets_the_first_answer_although_the_document_has_moved_on(
    catalog: Catalog,
) -> None:
    asked = pb.Region(region="cn", title="China")
    first = await catalog.create(REGION, asked, "key-1")
    await catalog.create(WAREHOUSE, warehouse("C", pb.TIER_CENTRAL), "")
    await catalog.update(REGION, pb.Region(region="cn", title="other"), [], "key-2")
    assert await catalog.create(REGION, asked, "key-1") == first


async def test_a_retried_update_gets_the_first_answer_although_its_etag_is_stale_now(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    await catalog.create(SKU, pb.Sku(sku="book", category="paper"), "")
    asked = pb.Sku(sku="book", title="two", etag="1")
    second = await catalog.update(SKU, asked, ["title"], "key")
    await catalog.update(SKU, pb.Sku(sku="book", title="three", category="toys"), [], "")
    changes = len(fake.changes)
    again = await catalog.update(SKU, asked, ["title"], "key")
    assert again == second == pb.Sku(sku="book", title="two", category="paper", etag="2")
    assert len(fake.changes) == changes


async def test_a_retry_is_known_after_a_restart_too(catalog: Catalog, fake: FakeDocuments) -> None:
    first = await catalog.create(SKU, pb.Sku(sku="book"), "key")
    restarted = a_catalog(fake)
    await restarted.load()
    assert await restarted.create(SKU, pb.Sku(sku="book"), "key") == first


@pytest.mark.parametrize(
    ("again", "field"),
    [
        (("create", pb.Sku(sku="book", title="other"), []), "sku"),
        (("update", pb.Sku(sku="book"), []), "operation"),
    ],
)
async def test_a_key_of_another_request_is_refused_by_the_field_that_differs(
    catalog: Catalog, again: tuple[str, pb.Sku, list[str]], field: str
) -> None:
    await catalog.create(SKU, pb.Sku(sku="book"), "key")
    verb, document, mask = again
    call = catalog.create(SKU, document, "key")
    if verb == "update":
        call.close()
        call = catalog.update(SKU, document, mask, "key")
    with pytest.raises(Refused) as refused:
        await call
    assert reason(refused) == ("REQUEST_ID_REUSED", {"field": field, "sequence": "1"})


async def test_a_key_of_an_update_under_another_mask_is_refused(catalog: Catalog) -> None:
    await catalog.create(SKU, pb.Sku(sku="book"), "")
    await catalog.update(SKU, pb.Sku(sku="book", title="t"), ["title"], "key")
    with pytest.raises(Refused) as refused:
        await catalog.update(SKU, pb.Sku(sku="book", title="t"), [], "key")
    assert refused.value.metadata["field"] == "update_mask"


async def test_a_restarted_catalogue_has_every_document_and_goes_on_from_it(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    await two_regions(catalog)
    await catalog.create(WAREHOUSE, warehouse("W", regions=("cn",)), "")
    changes = len(fake.changes)
    restarted = a_catalog(fake)
    await restarted.load()
    assert len(fake.changes) == changes
    assert await restarted.page(REGION, 0, "") == await catalog.page(REGION, 0, "")
    await restarted.create(WAREHOUSE, warehouse("A", regions=("sh",)), "")
    assert fake.plan("sh") == ["A", "W"]


async def test_an_import_answers_every_row(catalog: Catalog) -> None:
    await catalog.create(SKU, pb.Sku(sku="same"), "")
    await catalog.create(SKU, pb.Sku(sku="other"), "")
    outcomes = await Import(catalog, SKU).run(
        [
            pb.Sku(sku="new"),
            pb.Sku(sku="same"),
            pb.Sku(sku="other", title="changed"),
            pb.Sku(sku=""),
            pb.Sku(sku="new"),
            pb.Sku(sku="other2", etag="9"),
        ]
    )
    done = [outcome for outcome in outcomes if isinstance(outcome, Done)]
    assert done == [Done("created", "3"), Done("unchanged", "1"), Done("updated", "4")]
    refused = [(o.reason, o.metadata.get("field")) for o in outcomes if isinstance(o, Refused)]
    assert refused == [
        ("FIELD_REQUIRED", "skus[3].sku"),
        ("LINE_REPEATED", "skus[4].sku"),
        ("STALE_VERSION", None),
    ]


async def test_an_import_twice_changes_nothing_the_second_time(catalog: Catalog, fake: FakeDocuments) -> None:
    rows = [pb.Region(region="cn"), pb.Region(region="sh", parent="cn")]
    warehouses = [warehouse("W", regions=("sh",)), warehouse("C", pb.TIER_CENTRAL)]
    for _ in range(2):
        await Import(catalog, REGION).run(rows)
        outcomes = await Import(catalog, WAREHOUSE).run(warehouses)
    assert [outcome.result for outcome in outcomes if isinstance(outcome, Done)] == ["unchanged"] * 2
    assert fake.plan("sh") == ["W", "C"]
    assert len([put for change in fake.changes for put in change.documents if put.id == "sh"]) == 2


async def test_rows_of_an_import_may_refer_to_rows_behind_them(catalog: Catalog) -> None:
    rows = [pb.Region(region="sh", parent="cn"), pb.Region(region="cn"), pb.Region(region="x", parent="none")]
    outcomes = await Import(catalog, REGION).run(rows)
    assert [o.result if isinstance(o, Done) else o.reason for o in outcomes] == [
        "created",
        "created",
        "REFERENCE_INVALID",
    ]


async def test_a_row_without_a_state_leaves_a_paused_warehouse_paused(catalog: Catalog) -> None:
    await catalog.create(WAREHOUSE, warehouse("W"), "")
    await catalog.update(
        WAREHOUSE, pb.Warehouse(warehouse="W", state=pb.WAREHOUSE_STATE_PAUSED), ["state"], ""
    )
    outcomes = await Import(catalog, WAREHOUSE).run([warehouse("W")])
    assert outcomes == [Done("unchanged", "2")]


@pytest.mark.parametrize(("rows", "expected"), [(0, "FIELD_REQUIRED"), (8_191, "TOO_MANY_LINES")])
async def test_an_import_has_1_to_8190_rows(catalog: Catalog, rows: int, expected: str) -> None:
    with pytest.raises(Refused, match=expected):
        await Import(catalog, SKU).run([pb.Sku(sku=str(n)) for n in range(rows)])


async def test_plans_that_a_crash_within_an_import_left_out_are_installed_at_the_next_start(
    fake: FakeDocuments,
) -> None:
    catalog = a_catalog(fake)
    await two_regions(catalog)
    fake.refuse["cn"] = "FROZEN"
    with pytest.raises(Refused, match="FROZEN"):
        await Import(catalog, WAREHOUSE).run([warehouse("W", regions=("cn",))])
    assert fake.plan("sh") == []
    fake.refuse.clear()
    restarted = a_catalog(fake)
    await restarted.load()
    assert fake.plan("cn") == fake.plan("sh") == ["W"]


async def test_plans_left_out_go_with_the_next_change(catalog: Catalog, fake: FakeDocuments) -> None:
    await two_regions(catalog)
    fake.refuse["cn"] = "FROZEN"
    with pytest.raises(Refused, match="FROZEN"):
        await Import(catalog, WAREHOUSE).run([warehouse("W", regions=("cn",))])
    fake.refuse.clear()
    await catalog.create(CHANNEL, pb.Channel(channel="web", kind=pb.CHANNEL_KIND_OWN), "")
    assert fake.plan("cn") == fake.plan("sh") == ["W"]
