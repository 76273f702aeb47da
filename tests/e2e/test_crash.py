"""`kill -9` at any moment loses nothing that was acknowledged, and a retry tells what became of the rest."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import lockstock
import pytest
from lockstock.v1 import admin_pb2
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock
from lockstock_server import _core
from lockstock_server.flash_sale.server_process import ServerProcess
from support.crash import Clients, check_every_answer, lock_request, stock_up


@pytest.mark.parametrize("door", ["python", "fast"])
def test_after_kill_9_everything_acknowledged_is_there_and_a_retry_tells_the_rest(
    tmp_path: Path, door: str
) -> None:
    server = ServerProcess(tmp_path)
    clients = Clients()
    server.start()
    stock_up(server)
    for life in range(3):
        address = server.address if door == "python" else server.fast_lane
        acknowledged_before = len(clients.acknowledged)
        killed = threading.Event()

        def enough(before: int = acknowledged_before, killed: threading.Event = killed) -> None:
            if len(clients.acknowledged) >= before + 300 and not killed.is_set():
                killed.set()
                server.kill()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(partial(clients.run, address, life, enough), range(8)))
        assert killed.is_set()
        server.start()
        with lockstock.connect(server.fast_lane) as lane:
            check_every_answer(lane, clients)
    assert server.stop() == 0
    offline = json.loads(_core.Offline.open(str(server.data_dir)).summary())
    assert offline["totals"]["locked"] == len(clients.sent)


def test_the_state_after_recovery_is_the_state_before_and_that_of_a_straight_replay(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.start()
    stock_up(server)
    with lockstock.connect(server.fast_lane) as lane:
        for number in range(50):
            lane.stock.Lock(lock_request(f"r{number}"))
            if number % 2:
                lane.stock.Deduct(op.DeductRequest(reservation_id=f"r{number}"))
    before = info(server)
    server.kill()
    server.start()
    after = info(server)
    server.kill()
    straight = json.loads(_core.Offline.open(str(server.data_dir)).summary())
    assert (after.sequence, after.state_hash) == (before.sequence, before.state_hash)
    assert (straight["sequence"], straight["state_hash"]) == (before.sequence, before.state_hash)


def info(server: ServerProcess) -> admin_pb2.GetServerInfoResponse:
    with lockstock.connect(server.address) as shop:
        return shop.admin.GetServerInfo(admin_pb2.GetServerInfoRequest())


def test_the_database_catches_up_to_the_journal_after_a_kill(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.start()
    stock_up(server)
    with lockstock.connect(server.fast_lane) as lane:
        lane.stock.ExecuteBatch(
            stock.ExecuteBatchRequest(commands=[op.Command(lock=lock_request(f"r{n}")) for n in range(2_000)])
        )
    server.kill()
    server.start()
    deadline = time.monotonic() + 60
    while (now := info(server)).projection.sequence < now.durable_sequence:
        assert time.monotonic() < deadline, now
    assert server.stop() == 0
