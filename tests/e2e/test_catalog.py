"""The catalogue through a real server: what stands in the journal, what a lock sees of it, what survives a crash."""

from __future__ import annotations

import itertools

import grpc
import lockstock
import pytest
from conftest import Start
from google.protobuf.field_mask_pb2 import FieldMask
from lockstock import LockstockError, new_request_id
from lockstock.v1 import catalog_pb2 as pb
from lockstock.v1 import operations_pb2 as op

NUMBERS = itertools.count()


@pytest.fixture
def name() -> str:
    """A prefix of the test's own: the tests of a module share a server."""
    return f"t{next(NUMBERS)}"


def refused(error: pytest.ExceptionInfo[LockstockError]) -> tuple[grpc.StatusCode, str]:
    return error.value.code, error.value.reason


def a_shop(client: lockstock.Client, name: str) -> None:
    """A country with a city, a city's and a central warehouse, a SKU with units in both."""
    catalog = client.catalog
    catalog.ImportRegions(
        pb.ImportRegionsRequest(
            regions=[pb.Region(region=f"{name}-cn"), pb.Region(region=f"{name}-sh", parent=f"{name}-cn")]
        )
    )
    for warehouse, tier in (("city", pb.TIER_CITY), ("regional", pb.TIER_REGIONAL)):
        coverage = pb.Coverage(regions=[f"{name}-cn"])
        made = pb.Warehouse(warehouse=f"{name}-{warehouse}", tier=tier, coverage=coverage)
        catalog.CreateWarehouse(pb.CreateWarehouseRequest(warehouse=made))
    catalog.CreateSku(pb.CreateSkuRequest(sku=pb.Sku(sku=f"{name}-book")))
    lines = [
        op.StockLine(sku=f"{name}-book", warehouse=f"{name}-{warehouse}", quantity=10)
        for warehouse in ("city", "regional")
    ]
    client.stock.OtherReceipt(op.OtherReceiptRequest(lines=lines))


def lock_one(client: lockstock.Client, name: str, reservation: str) -> str:
    """Locks one book to the city; the warehouse that gives it."""
    answer = client.stock.Lock(
        op.LockRequest(
            reservation_id=f"{name}-{reservation}",
            lines=[op.OrderLine(sku=f"{name}-book", quantity=1)],
            region=f"{name}-sh",
        )
    )
    return answer.movements[0].warehouse.removeprefix(f"{name}-")


def test_a_lock_follows_the_plan_that_a_change_of_a_warehouse_installed(
    client: lockstock.Client, name: str
) -> None:
    a_shop(client, name)
    assert lock_one(client, name, "1") == "city"
    for state, expected in ((pb.WAREHOUSE_STATE_PAUSED, "regional"), (pb.WAREHOUSE_STATE_ACTIVE, "city")):
        client.catalog.UpdateWarehouse(
            pb.UpdateWarehouseRequest(
                warehouse=pb.Warehouse(warehouse=f"{name}-city", state=state),
                update_mask=FieldMask(paths=["state"]),
            )
        )
        assert lock_one(client, name, f"paused-{expected}") == expected
    client.catalog.UpdateWarehouse(
        pb.UpdateWarehouseRequest(
            warehouse=pb.Warehouse(warehouse=f"{name}-regional", tier=pb.TIER_FRONT),
            update_mask=FieldMask(paths=["tier"]),
        )
    )
    assert lock_one(client, name, "front") == "regional"


def test_a_region_that_moves_is_served_by_what_covers_its_new_place(
    client: lockstock.Client, name: str
) -> None:
    a_shop(client, name)
    client.catalog.CreateRegion(pb.CreateRegionRequest(region=pb.Region(region=f"{name}-de")))
    client.catalog.UpdateRegion(
        pb.UpdateRegionRequest(
            region=pb.Region(region=f"{name}-sh", parent=f"{name}-de"),
            update_mask=FieldMask(paths=["parent"]),
        )
    )
    with pytest.raises(LockstockError) as error:
        lock_one(client, name, "1")
    assert refused(error) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_ROUTABLE")


def test_a_warehouse_with_units_cannot_be_closed_and_stays_on_its_plans(
    client: lockstock.Client, name: str
) -> None:
    a_shop(client, name)
    with pytest.raises(LockstockError) as error:
        client.catalog.UpdateWarehouse(
            pb.UpdateWarehouseRequest(
                warehouse=pb.Warehouse(warehouse=f"{name}-city", state=pb.WAREHOUSE_STATE_CLOSED),
                update_mask=FieldMask(paths=["state"]),
            )
        )
    assert refused(error) == (grpc.StatusCode.FAILED_PRECONDITION, "WAREHOUSE_NOT_EMPTY")
    assert lock_one(client, name, "1") == "city"


def test_a_retried_create_gets_the_first_answer_and_another_body_is_refused_by_its_field(
    client: lockstock.Client, name: str
) -> None:
    key = new_request_id()
    asked = pb.CreateSkuRequest(sku=pb.Sku(sku=name, title="first"), request_id=key)
    first = client.catalog.CreateSku(asked)
    client.catalog.UpdateSku(pb.UpdateSkuRequest(sku=pb.Sku(sku=name, title="second")))
    assert client.catalog.CreateSku(asked) == first
    with pytest.raises(LockstockError) as error:
        client.catalog.CreateSku(pb.CreateSkuRequest(sku=pb.Sku(sku=name, title="other"), request_id=key))
    assert refused(error) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert error.value.metadata["field"] == "sku"


def test_a_retried_create_of_a_region_is_known_although_the_plans_have_changed_since(
    client: lockstock.Client, name: str
) -> None:
    asked = pb.CreateRegionRequest(region=pb.Region(region=name), request_id=new_request_id())
    first = client.catalog.CreateRegion(asked)
    warehouse = pb.Warehouse(warehouse=name, tier=pb.TIER_CITY, coverage=pb.Coverage(regions=[name]))
    client.catalog.CreateWarehouse(pb.CreateWarehouseRequest(warehouse=warehouse))
    assert client.catalog.CreateRegion(asked) == first


def test_two_updates_with_one_etag_are_one_winner_and_one_aborted(
    client: lockstock.Client, name: str
) -> None:
    etag = client.catalog.CreateSku(pb.CreateSkuRequest(sku=pb.Sku(sku=name))).etag
    won = client.catalog.UpdateSku(pb.UpdateSkuRequest(sku=pb.Sku(sku=name, title="a", etag=etag)))
    with pytest.raises(LockstockError) as error:
        client.catalog.UpdateSku(pb.UpdateSkuRequest(sku=pb.Sku(sku=name, title="b", etag=etag)))
    assert refused(error) == (grpc.StatusCode.ABORTED, "STALE_VERSION")
    assert error.value.metadata == {"id": name, "expected": etag, "current": won.etag}


def test_a_list_goes_through_every_channel_page_by_page(client: lockstock.Client, name: str) -> None:
    made = [f"{name}-{n:02}" for n in range(25)]
    channels = [pb.Channel(channel=channel, kind=pb.CHANNEL_KIND_OWN) for channel in made]
    client.catalog.ImportChannels(pb.ImportChannelsRequest(channels=channels))
    listed: list[str] = []
    token = ""
    while True:
        page = client.catalog.ListChannels(pb.ListChannelsRequest(page_size=10, page_token=token))
        listed.extend(channel.channel for channel in page.channels)
        token = page.next_page_token
        if not token:
            break
    assert [channel for channel in listed if channel.startswith(name)] == made
    assert listed == sorted(set(listed))


def test_a_list_goes_through_every_sku_where_the_engine_has_them(client: lockstock.Client, name: str) -> None:
    made = [pb.Sku(sku=f"{name}-{n:04}", title=f"Good {n}", category="c") for n in range(2_500)]
    client.catalog.ImportSkus(pb.ImportSkusRequest(skus=made))
    listed: list[pb.Sku] = []
    token = ""
    while True:
        page = client.catalog.ListSkus(pb.ListSkusRequest(page_size=1_000, page_token=token))
        listed.extend(page.skus)
        token = page.next_page_token
        if not token:
            break
    ids = [sku.sku for sku in listed]
    assert ids == sorted(set(ids))
    ours = [sku for sku in listed if sku.sku.startswith(f"{name}-")]
    assert all(sku.etag for sku in ours)
    for sku in ours:
        sku.ClearField("etag")
    assert ours == made


def test_a_preview_changes_nothing_in_the_engine(client: lockstock.Client, name: str) -> None:
    client.catalog.CreateSku(pb.CreateSkuRequest(sku=pb.Sku(sku=name, title="old")))
    sku = pb.Sku(sku=name, title="new", deduction_policy=pb.DEDUCTION_POLICY_ON_PAYMENT)
    asked = pb.ImportSkusRequest(skus=[sku, pb.Sku(sku=f"{name}-new")], validate_only=True)
    updated, created = client.catalog.ImportSkus(asked).rows
    assert [(it.field, it.old, it.new) for it in updated.changes] == [
        ("deduction_policy", "", "DEDUCTION_POLICY_ON_PAYMENT"),
        ("title", "old", "new"),
    ]
    assert created.WhichOneof("result") == "created"
    assert client.catalog.GetSku(pb.GetSkuRequest(sku=name)).title == "old"
    with pytest.raises(LockstockError) as error:
        client.catalog.GetSku(pb.GetSkuRequest(sku=f"{name}-new"))
    assert refused(error) == (grpc.StatusCode.NOT_FOUND, "SKU_NOT_FOUND")


def test_an_import_answers_every_row_and_a_second_one_changes_nothing(
    client: lockstock.Client, name: str
) -> None:
    rows = [pb.Sku(sku=f"{name}-{n}", category="books") for n in range(2_000)] + [pb.Sku(sku="")]
    first = client.catalog.ImportSkus(pb.ImportSkusRequest(skus=rows))
    assert [row.WhichOneof("result") for row in first.rows] == ["created"] * 2_000 + ["refused"]
    problem = LockstockError.from_status(first.rows[-1].refused)
    assert (problem.reason, problem.metadata) == ("FIELD_REQUIRED", {"field": "skus[2000].sku"})
    second = client.catalog.ImportSkus(pb.ImportSkusRequest(skus=rows[:-1]))
    assert [row.unchanged for row in second.rows] == [row.created for row in first.rows[:-1]]


def test_the_catalogue_is_there_after_a_kill(start: Start) -> None:
    server = start()
    on_payment = pb.Shop(deduction_policy=pb.DEDUCTION_POLICY_ON_PAYMENT)
    with server.client() as client:
        a_shop(client, "k")
        assert client.catalog.GetShop(pb.GetShopRequest()) == pb.Shop()
        shop = client.catalog.UpdateShop(pb.UpdateShopRequest(shop=on_payment))
        before = client.catalog.ListWarehouses(pb.ListWarehousesRequest())
        skus = client.catalog.ListSkus(pb.ListSkusRequest())
    server.kill()
    server.start()
    with server.client() as client:
        assert client.catalog.ListWarehouses(pb.ListWarehousesRequest()) == before
        assert client.catalog.ListSkus(pb.ListSkusRequest()) == skus
        assert client.catalog.GetShop(pb.GetShopRequest()) == shop
        with pytest.raises(LockstockError) as error:
            client.catalog.UpdateShop(pb.UpdateShopRequest(shop=pb.Shop(etag="1")))
        assert refused(error) == (grpc.StatusCode.ABORTED, "STALE_VERSION")
        assert lock_one(client, "k", "1") == "city"
