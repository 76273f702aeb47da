"""What makes the catalogue bear a million SKUs: they stay in the engine, imports give way, previews change nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from fake_documents import FakeDocuments
from lockstock.v1 import catalog_pb2 as pb
from lockstock_server.catalog.documents import Documents
from lockstock_server.catalog.imports import ROWS_MAX, SLICE_ROWS, Done, Import, Outcome
from lockstock_server.catalog.kinds import COLLECTIONS, REGION, SHOP, SKU, WAREHOUSE, Kind
from lockstock_server.catalog.preview import VALUE_BYTES_MAX, FieldChange
from lockstock_server.catalog.service import TRIES, Catalog
from lockstock_server.doors import catalog as door
from lockstock_server.doors.raw import MESSAGE_BYTES_MAX
from lockstock_server.doors.status import Statuses
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from lockstock_server.doors.raw import Unary

ON_PAYMENT = pb.DEDUCTION_POLICY_ON_PAYMENT


@pytest.fixture
def fake() -> FakeDocuments:
    return FakeDocuments()


@pytest.fixture
def catalog(fake: FakeDocuments) -> Catalog:
    return Catalog(Documents(fake.call))


def told(outcomes: list[Outcome]) -> list[str]:
    return [outcome.result if isinstance(outcome, Done) else outcome.reason for outcome in outcomes]


def city(name: str, *regions: str, **fields: object) -> pb.Warehouse:
    coverage = pb.Coverage(regions=regions) if regions else None
    return pb.Warehouse(warehouse=name, tier=pb.TIER_CITY, coverage=coverage, **fields)  # type: ignore[arg-type]


# --- SKUs on demand ---


async def test_a_start_reads_no_sku(catalog: Catalog, fake: FakeDocuments) -> None:
    await catalog.create(SKU, pb.Sku(sku="book"), "")
    await catalog.create(REGION, pb.Region(region="cn"), "")
    restarted = Catalog(Documents(fake.call))
    fake.listed.clear()
    await restarted.load()
    assert SKU.number not in fake.listed
    assert REGION.number in fake.listed
    assert (await restarted.get(SKU, "book")).etag == "1"


@pytest.mark.parametrize(("size", "pages"), [(1, 7), (3, 3), (7, 1), (10, 1)])
@pytest.mark.parametrize("kind", [SKU, REGION])
async def test_pages_give_every_document_once_and_in_order(
    catalog: Catalog, kind: Kind, size: int, pages: int
) -> None:
    ids = ["a", "b", "c", "d", "\u00e9", "\uffee", "\U0001f600"]
    for name in reversed(ids):
        await catalog.create(kind, cast("type[Any]", kind.message)(**{kind.name: name}), "")
    seen: list[str] = []
    token, asked = "", 0
    while not asked or token:
        page, token = await catalog.page(kind, size, token)
        seen += [kind.id_of(document) for document in page]
        asked += 1
    assert (seen, asked) == (ids, pages)


async def test_a_page_goes_on_behind_its_last_id_although_ids_were_added(catalog: Catalog) -> None:
    for name in ("a", "c", "e"):
        await catalog.create(SKU, pb.Sku(sku=name), "")
    _, token = await catalog.page(SKU, 2, "")
    for name in ("b", "d"):
        await catalog.create(SKU, pb.Sku(sku=name), "")
    page, _ = await catalog.page(SKU, 2, token)
    assert [SKU.id_of(document) for document in page] == ["d", "e"]


async def test_updates_of_one_sku_at_once_lose_none_of_their_fields(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    await catalog.create(SKU, pb.Sku(sku="book"), "")
    fake.slow = True
    await asyncio.gather(
        catalog.update(SKU, pb.Sku(sku="book", title="t"), ["title"], ""),
        catalog.update(SKU, pb.Sku(sku="book", category="c"), ["category"], ""),
        catalog.update(SKU, pb.Sku(sku="book", deduction_policy=ON_PAYMENT), ["deduction_policy"], ""),
    )
    made = cast("pb.Sku", await catalog.get(SKU, "book"))
    assert (made.title, made.category, made.deduction_policy) == ("t", "c", ON_PAYMENT)


async def test_an_update_that_is_outrun_again_and_again_gives_up_as_aborted(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    await catalog.create(SKU, pb.Sku(sku="book"), "")
    fake.refuse["book"] = "STALE_VERSION"
    fake.calls.clear()
    with pytest.raises(Refused, match="STALE_VERSION"):
        await catalog.update(SKU, pb.Sku(sku="book", title="t"), [], "")
    assert fake.calls.count("PutDocuments") == TRIES


async def test_two_creates_of_one_sku_at_once_are_one_winner_and_one_that_is_told(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    fake.slow = True
    creates = [catalog.create(SKU, pb.Sku(sku="book", title=title), "") for title in "ab"]
    first, second = await asyncio.gather(*creates, return_exceptions=True)
    assert isinstance(first, pb.Sku)
    assert isinstance(second, Refused)
    assert (second.reason, second.metadata) == ("DOCUMENT_EXISTS", {"kind": "sku", "id": "book"})


async def test_two_imports_of_the_same_skus_at_once_refuse_no_row(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    fake.slow = True
    rows = [[pb.Sku(sku=str(n), title=title) for n in range(600)] for title in "ab"]
    both = await asyncio.gather(*(Import(catalog, SKU).run(it) for it in rows))
    assert {word for outcomes in both for word in told(outcomes)} == {"created", "updated"}
    titles = {cast("pb.Sku", await catalog.get(SKU, str(n))).title for n in range(600)}
    assert titles <= {"a", "b"}


async def test_an_import_of_skus_gives_way_to_other_calls_between_its_slices(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    await catalog.create(REGION, pb.Region(region="cn"), "")
    fake.calls.clear()
    importing = asyncio.create_task(
        Import(catalog, SKU).run([pb.Sku(sku=str(n)) for n in range(4 * SLICE_ROWS)])
    )
    await catalog.update(REGION, pb.Region(region="cn", title="meanwhile"), [], "")
    assert not importing.done()
    assert told(await importing) == ["created"] * 4 * SLICE_ROWS


async def test_a_call_that_the_engine_refuses_whole_is_refused_whole(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    fake.away = "DRAINING"
    with pytest.raises(Refused, match="DRAINING"):
        await Import(catalog, SKU).run([pb.Sku(sku=str(n)) for n in range(3 * SLICE_ROWS)])


async def test_an_id_of_wrong_form_is_its_rows_refusal_and_is_not_asked_for(catalog: Catalog) -> None:
    rows = [pb.Sku(sku="x" * 65), pb.Sku(sku="a\n"), pb.Sku(), pb.Sku(sku="ok")]
    outcomes = await Import(catalog, SKU).run(rows)
    assert told(outcomes) == ["ID_INVALID", "ID_INVALID", "FIELD_REQUIRED", "created"]


# --- the shop's rules, and the SKU's ---


async def test_before_the_first_update_the_shop_has_defaults_and_no_etag(catalog: Catalog) -> None:
    assert await catalog.shop() == pb.Shop()


async def test_the_shops_rules_are_one_document_with_an_etag(catalog: Catalog, fake: FakeDocuments) -> None:
    first = await catalog.update(SHOP, pb.Shop(deduction_policy=ON_PAYMENT), ["deduction_policy"], "key")
    assert first == await catalog.shop() == pb.Shop(deduction_policy=ON_PAYMENT, etag="1")
    put = fake.changes[-1].documents[0]
    assert (put.kind, put.id, put.shop.deduction_policy) == (SHOP.number, "shop", ON_PAYMENT)
    with pytest.raises(Refused) as refused:
        await catalog.update(SHOP, pb.Shop(etag="9"), [], "")
    assert (refused.value.reason, refused.value.metadata) == (
        "STALE_VERSION",
        {"id": "shop", "expected": "9", "current": "1"},
    )
    assert await catalog.update(SHOP, pb.Shop(etag="1"), [], "") == pb.Shop(etag="2")
    assert (
        await catalog.update(SHOP, pb.Shop(deduction_policy=ON_PAYMENT), ["deduction_policy"], "key") == first
    )


async def test_the_shops_rules_are_there_after_a_restart(catalog: Catalog, fake: FakeDocuments) -> None:
    made = await catalog.update(SHOP, pb.Shop(deduction_policy=ON_PAYMENT), [], "")
    restarted = Catalog(Documents(fake.call))
    await restarted.load()
    assert await restarted.shop() == made


@pytest.mark.parametrize("path", ["shop", "etag", "sku"])
async def test_a_mask_of_the_shop_names_its_rules_only(catalog: Catalog, path: str) -> None:
    with pytest.raises(Refused, match="FIELD_MASK_INVALID"):
        await catalog.update(SHOP, pb.Shop(), [path], "")


async def test_a_policy_that_is_not_known_is_refused_by_its_field(catalog: Catalog) -> None:
    for kind, document in ((SHOP, pb.Shop()), (SKU, pb.Sku(sku="book"))):
        document.deduction_policy = 7  # type: ignore[assignment]
        with pytest.raises(Refused) as refused:
            await catalog.update(kind, document, [], "") if kind is SHOP else await catalog.create(
                kind, document, ""
            )
        assert (refused.value.reason, refused.value.metadata) == (
            "ENUM_UNKNOWN",
            {"field": f"{kind.name}.deduction_policy", "value": "7"},
        )


async def test_the_policy_of_a_sku_is_part_of_what_the_engine_knows_of_it(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    await catalog.create(SKU, pb.Sku(sku="book", deduction_policy=ON_PAYMENT), "")
    put = fake.changes[-1].documents[0]
    assert (put.sku.category, put.sku.deduction_policy) == ("", ON_PAYMENT)


# --- preview ---


async def test_a_preview_tells_of_each_row_what_the_import_then_does(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    await Import(catalog, SKU).run([pb.Sku(sku="same"), pb.Sku(sku="other", title="old", category="c")])
    rows = [
        pb.Sku(sku="new"),
        pb.Sku(sku="same"),
        pb.Sku(sku="other", title="new", deduction_policy=ON_PAYMENT),
        pb.Sku(sku=""),
        pb.Sku(sku="new"),
        pb.Sku(sku="same", etag="99"),
    ]
    before = fake.sequence
    previewed = await Import(catalog, SKU).preview(rows, {})
    assert fake.sequence == before
    assert told(previewed) == [
        "created",
        "unchanged",
        "updated",
        "FIELD_REQUIRED",
        "LINE_REPEATED",
        "STALE_VERSION",
    ]
    assert previewed[2] == Done(
        "updated",
        "2",
        [
            FieldChange("category", "c", ""),
            FieldChange("deduction_policy", "", "DEDUCTION_POLICY_ON_PAYMENT"),
            FieldChange("title", "old", "new"),
        ],
    )
    assert told(await Import(catalog, SKU).run(rows)) == told(previewed)


async def test_a_preview_takes_rows_for_granted_that_stand_in_the_same_call(
    catalog: Catalog, fake: FakeDocuments
) -> None:
    rows = [pb.Region(region="sh", parent="cn"), pb.Region(region="cn"), pb.Region(region="x", parent="none")]
    assert told(await Import(catalog, REGION).preview(rows, {})) == [
        "created",
        "created",
        "REFERENCE_INVALID",
    ]
    assert not fake.changes


async def test_a_preview_takes_for_granted_what_imports_before_it_would_create(catalog: Catalog) -> None:
    rows = [city("A", "sh"), city("B", "bj", parent="A"), city("C", parent="D")]
    outcomes = await Import(catalog, WAREHOUSE).preview(rows, {"region": {"sh"}, "warehouse": {"D"}})
    assert told(outcomes) == ["created", "REFERENCE_INVALID", "created"]


async def test_a_preview_shows_parts_of_a_warehouse_as_json(catalog: Catalog) -> None:
    await catalog.create(REGION, pb.Region(region="cn"), "")
    await catalog.create(WAREHOUSE, city("W", "cn", rank=1), "")
    outcomes = await Import(catalog, WAREHOUSE).preview([city("W", rank=2)], {})
    assert cast("Done", outcomes[0]).changes == [
        FieldChange("coverage", '{"regions":["cn"]}', ""),
        FieldChange("rank", "1", "2"),
    ]


async def test_the_longest_preview_stays_within_what_a_transport_takes() -> None:
    fields = max(len(kind.updatable) for kind in COLLECTIONS)
    longest_name = max(len(name) for kind in COLLECTIONS for name in kind.updatable)
    # Only three fields of a warehouse have no shorter bound of their own: title, coverage, assortment.
    small = pb.FieldChange(field="n" * longest_name, old="v" * 64, new="v" * 64)
    large = pb.FieldChange(field="n" * longest_name, old="v" * VALUE_BYTES_MAX, new="v" * VALUE_BYTES_MAX)
    row = pb.ImportRow(id="i" * 64, updated="9" * 19, changes=[*[large] * 3, *[small] * (fields - 3)])
    assert pb.ImportResponse(rows=[row] * 100).ByteSize() / 100 * ROWS_MAX < 2 * MESSAGE_BYTES_MAX


async def test_two_rows_that_make_a_cycle_of_known_regions_do_not_both_go_through(catalog: Catalog) -> None:
    await Import(catalog, REGION).run([pb.Region(region="a"), pb.Region(region="b")])
    rows = [pb.Region(region="a", parent="b"), pb.Region(region="b", parent="a")]
    assert told(await Import(catalog, REGION).preview(rows, {})) == ["updated", "REFERENCE_INVALID"]
    assert told(await Import(catalog, REGION).run(rows)) == ["updated", "REFERENCE_INVALID"]


# --- the door ---


@pytest.fixture
def methods(catalog: Catalog) -> dict[str, Unary]:
    reasons = '[{"name": "FIELDS_CONFLICT", "code": 3, "retry": "never", "metadata": ["field"], "words": ""}]'
    return door.unary(catalog, Statuses(reasons, 1.0))


async def test_the_door_previews_under_validate_only(methods: dict[str, Unary], fake: FakeDocuments) -> None:
    preview = methods["/lockstock.v1.CatalogService/ImportWarehouses"]
    asked = pb.ImportWarehousesRequest(
        warehouses=[city("W", "sh", parent="V")],
        validate_only=True,
        assumed_regions=["sh"],
        assumed_warehouses=["V"],
    )
    _, answer = await preview(asked.SerializeToString())
    assert pb.ImportResponse.FromString(answer) == pb.ImportResponse(rows=[pb.ImportRow(id="W", created="")])
    assert not fake.changes
    asked.validate_only = False
    with pytest.raises(Refused) as refused:
        await preview(asked.SerializeToString())
    assert refused.value.metadata == {"field": "assumed_warehouses"}


async def test_the_door_gives_and_changes_the_shops_rules(methods: dict[str, Unary]) -> None:
    service = "/lockstock.v1.CatalogService"
    _, answer = await methods[f"{service}/GetShop"](b"")
    assert answer == b""
    asked = pb.UpdateShopRequest(shop=pb.Shop(deduction_policy=ON_PAYMENT))
    _, answer = await methods[f"{service}/UpdateShop"](asked.SerializeToString())
    assert pb.Shop.FromString(answer) == pb.Shop(deduction_policy=ON_PAYMENT, etag="1")
    with pytest.raises(Refused, match="FIELD_REQUIRED"):
        await methods[f"{service}/UpdateShop"](b"")


async def test_the_door_serves_every_method_of_the_service(methods: dict[str, Unary]) -> None:
    assert methods.keys() == {f"/{door.SERVICE.full_name}/{method.name}" for method in door.SERVICE.methods}
