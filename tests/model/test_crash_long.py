"""The crash test of tests/e2e for as long as wanted: `make test-long`."""

from __future__ import annotations

import json
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import lockstock
import pytest
from lockstock_server import _core
from lockstock_server.flash_sale.server_process import ServerProcess
from support.crash import Clients, check_every_answer, stock_up

LIVES = int(os.environ.get("LOCKSTOCK_LIVES", "30"))
SEED = int(os.environ.get("LOCKSTOCK_SEED", "1"))


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_many_lives_each_ended_by_kill_9_lose_nothing(tmp_path: Path) -> None:
    draw = random.Random(SEED)
    server = ServerProcess(
        tmp_path, {"LOCKSTOCK_SEGMENT_BYTES": "262144", "LOCKSTOCK_SNAPSHOT_EVERY_BYTES": "524288"}
    )
    clients = Clients()
    server.start()
    stock_up(server)
    for life in range(LIVES):
        target = len(clients.acknowledged) + draw.randint(20, 600)
        killed = threading.Event()

        def enough(target: int = target, killed: threading.Event = killed) -> None:
            if len(clients.acknowledged) >= target and not killed.is_set():
                killed.set()
                server.kill()

        address = draw.choice([server.address, server.fast_lane])
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(partial(clients.run, address, life, enough), range(8)))
        server.start()
        with lockstock.connect(server.fast_lane) as lane:
            check_every_answer(lane, clients)
    assert server.stop() == 0
    offline = json.loads(_core.Offline.open(str(server.data_dir)).summary())
    assert offline["totals"]["locked"] == len(clients.sent), f"seed {SEED}"
