"""The real core under load, projected: the database is an exact prefix of the journal, to the row."""

from __future__ import annotations

import itertools
import json
import random
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from lockstock.internal.v1 import documents_pb2 as documents
from lockstock.v1 import operations_pb2 as operations
from lockstock_server import _core
from lockstock_server.projection import rebuild, schema
from lockstock_server.projection.compare import compare
from lockstock_server.projection.database import open_database, read_position
from lockstock_server.projection.errors import ProjectionError
from lockstock_server.projection.projector import Projector, ProjectorState
from sqlalchemy import select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from google.protobuf.message import Message
    from sqlalchemy import Select

SOON = 60.0
SKUS = ["apple", "caf\u00e9", 'quo"ted', "back\\slash"]
WAREHOUSES = ["SH", "BJ", "\u5e7f\u5dde"]

DISPOSITIONS = [
    operations.DISPOSITION_SELLABLE,
    operations.DISPOSITION_DEFECTIVE,
    operations.DISPOSITION_LOST,
]


def open_engine(data_dir: Path, proved: int = 0) -> _core.Engine:
    settings = {
        "data_dir": str(data_dir),
        "disk_floor_bytes": 0,
        "proved_by_database": proved,
        # The smallest there are, so that readers meet their ends.
        "segment_bytes": 64 * 1024,
    }
    return _core.Engine.open(json.dumps(settings))


class Shop:
    """Sells at random from several threads."""

    def __init__(self, engine: _core.Engine) -> None:
        self.engine = engine

    def call(self, verb: str, request: Message) -> bool:
        return self._call(f"/lockstock.v1.StockService/{verb}", request)

    def _call(self, method: str, request: Message) -> bool:
        ok, _payload = self.engine.call_blocking(method, request.SerializeToString())
        return ok

    def stock_up(self) -> None:
        """Creates master data and puts goods on the shelves."""
        put = [
            documents.PutDocument(
                kind=documents.DOCUMENT_KIND_CHANNEL, id="web", expected_version=-1, body=b"{}"
            )
        ]
        put += [self.sku(sku, b'{"a":"\\t"}') for sku in SKUS]
        put += [
            documents.PutDocument(
                kind=documents.DOCUMENT_KIND_WAREHOUSE,
                id=warehouse,
                expected_version=-1,
                warehouse=documents.WarehouseLive(state=1),
                body=b"{}",
            )
            for warehouse in WAREHOUSES
        ]
        self.put(*put)
        lines = [
            operations.StockLine(sku=sku, warehouse=warehouse, quantity=10_000)
            for sku in SKUS
            for warehouse in WAREHOUSES
        ]
        assert self.call("OtherReceipt", operations.OtherReceiptRequest(lines=lines))

    def sku(self, sku: str, body: bytes) -> documents.PutDocument:
        live = documents.SkuLive(category="c")
        kind = documents.DOCUMENT_KIND_SKU
        return documents.PutDocument(kind=kind, id=sku, expected_version=-1, sku=live, body=body)

    def put(self, *put: documents.PutDocument) -> None:
        request = documents.PutDocumentsRequest(documents=put, method="test")
        assert self._call("/lockstock.internal.v1.Documents/PutDocuments", request)

    def sell(self, name: str, orders: int) -> None:
        """Makes some orders; most go on to be paid, shipped and partly returned."""
        chance = random.Random(name)
        for number in range(orders):
            order = f"{name}-{number}"
            lines = [
                operations.OrderLine(sku=chance.choice(SKUS), quantity=chance.randint(1, 9))
                for _ in range(chance.randint(1, 4))
            ]
            listed = operations.WarehouseList(warehouses=chance.sample(WAREHOUSES, 2))
            lock = operations.LockRequest(
                reservation_id=order,
                lines=lines,
                warehouses=listed,
                channel="web",
                buyer="somebody",
                attributes=bytes(chance.randrange(256) for _ in range(8)),
            )
            if not self.call("Lock", lock):
                continue
            self._finish(order, chance.randrange(4), chance)

    def _finish(self, order: str, steps: int, chance: random.Random) -> None:
        if steps == 0:
            self.call("Unlock", operations.UnlockRequest(reservation_id=order))
            return
        self.call("Deduct", operations.DeductRequest(reservation_id=order))
        if steps > 1:
            self.call("Ship", operations.ShipRequest(reservation_id=order))
        if steps > 2:
            line = operations.ReturnLine(line=1, quantity=1, disposition=chance.choice(DISPOSITIONS))
            for warehouse in WAREHOUSES:
                back = operations.ReturnRequest(reservation_id=order, warehouse=warehouse, lines=[line])
                if self.call("Return", back):
                    return


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@contextmanager
def selling(shop: Shop, name: str, buyers: int = 4) -> Iterator[None]:
    """Sells for as long as the block runs, and a few orders at least."""
    enough = threading.Event()

    def sell(buyer: int) -> None:
        for again in itertools.count():
            shop.sell(f"{name}-{buyer}-{again}", orders=3)
            if enough.is_set():
                return

    threads = [threading.Thread(target=sell, args=(buyer,)) for buyer in range(buyers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def durable(engine: _core.Engine) -> int:
    return int(json.loads(engine.status())["durable_sequence"])


@contextmanager
def projecting(engine: _core.Engine, url: str, most: int = 64) -> Iterator[Projector]:
    projector = Projector(engine, url, max_events=most, poll_interval=0.001, backoff_max=0.05)
    projector.start()
    try:
        yield projector
    finally:
        projector.stop(SOON)


def assert_exact(url: str, data_dir: Path, sequence: int) -> None:
    found = compare(url, data_dir)
    assert (found.sequence, found.differences) == (sequence, [])
    assert found.rows["operations"] == sequence


def test_the_database_is_an_exact_prefix_of_the_journal_under_load(url: str, data_dir: Path) -> None:
    engine = open_engine(data_dir)
    shop = Shop(engine)
    shop.stock_up()
    with projecting(engine, url) as projector:
        with selling(shop, "order"):
            for _ in range(8):
                assert projector.wait_for(projector.status.sequence + 1, SOON)
                found = compare(url, data_dir)
                assert found.differences == []
                assert found.rows["operations"] == found.sequence
        assert projector.wait_for(durable(engine), SOON)
    sequence = durable(engine)
    engine.close()
    assert sequence > 50
    assert_exact(url, data_dir, sequence)
    rows = compare(url, data_dir).rows
    assert min(rows[name] for name in ("stock", "allocations", "movements", "document_versions")) > 0


def test_the_steps_of_an_owner_and_a_document_as_it_stood_are_found(url: str, data_dir: Path) -> None:
    engine = open_engine(data_dir)
    shop = Shop(engine)
    shop.stock_up()
    listed = operations.WarehouseList(warehouses=["SH"])
    lines = [operations.OrderLine(sku="apple", quantity=1)]
    assert shop.call("Lock", operations.LockRequest(reservation_id="one", lines=lines, warehouses=listed))
    shop.put(shop.sku("apple", b"\xff"), shop.sku("caf\u00e9", b"{}"))
    renamed = durable(engine)
    assert shop.call("Deduct", operations.DeductRequest(reservation_id="one"))
    with projecting(engine, url) as projector:
        assert projector.wait_for(durable(engine), SOON)
    assert_exact(url, data_dir, durable(engine))
    engine.close()

    steps = select(schema.operations.c.operation).where(schema.operations.c.owner == "one")
    versions = schema.document_versions
    of_apple = (versions.c.kind == "SKU") & (versions.c.id == "apple")

    def body_at(sequence: int) -> Select[Any]:
        then = select(versions.c.body).where(of_apple, versions.c.sequence <= sequence)
        return then.order_by(versions.c.sequence.desc()).limit(1)

    database = open_database(url)
    with database.connect() as connection:
        found = connection.execute(steps.order_by(schema.operations.c.sequence)).scalars().all()
        assert found == ["LOCK", "DEDUCT"]
        assert connection.execute(body_at(renamed - 1)).scalar_one() == '{"a":"\\t"}'
        assert connection.execute(body_at(renamed)).scalar_one() == "\\xff"
    database.dispose()


def test_engine_and_projector_start_again_where_they_stopped(url: str, data_dir: Path) -> None:
    for run in range(1, 4):
        position = read_position(url)
        engine = open_engine(data_dir, proved=position.sequence if position else 0)
        shop = Shop(engine)
        if position is None:
            shop.stock_up()
        with projecting(engine, url, most=7), selling(shop, f"run{run}", buyers=2):
            pass
        sequence = durable(engine)
        engine.close()
        assert_exact(url, data_dir, sequence)


def test_dropped_and_built_again_it_is_the_same_to_the_row(
    new_url: Callable[[], str], data_dir: Path
) -> None:
    engine = open_engine(data_dir)
    shop = Shop(engine)
    shop.stock_up()
    url, other = new_url(), new_url()
    with projecting(engine, url, most=5) as projector, selling(shop, "order"):
        assert projector.wait_for(20, SOON)
    rebuild.drop(url)
    for again in (url, other):
        with projecting(engine, again, most=10_000) as projector:
            assert projector.wait_for(durable(engine), SOON)
        assert_exact(again, data_dir, durable(engine))
    engine.close()


def test_the_database_of_another_journal_refuses_the_start(url: str, tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "one")
    Shop(engine).stock_up()
    with projecting(engine, url) as projector:
        assert projector.wait_for(durable(engine), SOON)
    engine.close()
    stranger = open_engine(tmp_path / "two")
    Shop(stranger).stock_up()
    projector = Projector(stranger, url)
    with pytest.raises(ProjectionError, match="belongs to journal"):
        projector.start()
    assert projector.status.state is ProjectorState.REFUSED
    assert compare(url, tmp_path / "two").differences != []
    stranger.close()


def test_a_database_that_is_not_there_has_nothing_that_differs(url: str, data_dir: Path) -> None:
    engine = open_engine(data_dir)
    Shop(engine).stock_up()
    engine.close()
    found = compare(url, data_dir)
    assert (found.sequence, found.differences, found.rows) == (None, [], {})


def test_a_database_beyond_the_end_of_the_journal_is_a_difference(url: str, tmp_path: Path) -> None:
    for name in ("long", "short"):
        engine = open_engine(tmp_path / name)
        shop = Shop(engine)
        shop.stock_up()
        if name == "long":
            shop.sell("order", 5)
            with projecting(engine, url) as projector:
                assert projector.wait_for(durable(engine), SOON)
        engine.close()
    assert len(compare(url, tmp_path / "short").differences) == 1
