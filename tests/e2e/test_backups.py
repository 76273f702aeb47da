"""Backing up and restoring, as docs/operating.md has it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import lockstock
from conftest import Server, Start
from lockstock.v1 import admin_pb2 as admin
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import stock_pb2 as stock
from lockstock_server.errors import ExitCode

SMALL = str(64 << 10)
"""Small segments, so that there are several."""


def skus(client: lockstock.Client, first: int, count: int) -> None:
    for number in range(first, first + count):
        client.catalog.CreateSku(catalog.CreateSkuRequest(sku=catalog.Sku(sku=f"sku-{number}")))


def made(server: Server, first: int, count: int) -> None:
    """Makes these SKUs and stops."""
    with server.client() as client:
        skus(client, first, count)
    assert server.stop() == 0


def known(server: Server) -> int:
    with server.client() as client:
        return client.admin.GetServerInfo(admin.GetServerInfoRequest()).skus


def copied(server: Server, to: Path, *, last: bool = True, key: bool = True) -> Path:
    """Copies what a backup has: the segments, with or without the last, and the key."""
    (to / "journal").mkdir(parents=True)
    segments = sorted((server.data_dir / "journal").glob("segment-*.lkj"))
    for segment in segments if last else segments[:-1]:
        shutil.copy(segment, to / "journal")
    if key:
        shutil.copy(server.data_dir / "buyer.key", to)
    return to


def refused_start(directory: Path, **settings: str) -> tuple[int, str]:
    server = Server(directory, settings)
    server.spawn()
    return server.wait(), " ".join("".join(server.lines).split())


def offline(command: str, directory: Path, url: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTOCK_")}
    here = ("--data-dir", str(directory), "--database-url", url)
    return subprocess.run(
        [sys.executable, "-m", "lockstock_server.cli", command, *here],
        check=False,
        capture_output=True,
        text=True,
        env=clean,
    )


def test_after_a_snapshot_all_segments_but_the_last_are_a_backup_while_it_sells(
    start: Start, tmp_path: Path
) -> None:
    server = start(SEGMENT_BYTES=SMALL)
    stop = threading.Event()

    def sell() -> None:
        with server.client() as client:
            number = 1_000
            while not stop.is_set():
                skus(client, number, 1)
                number += 1

    seller = threading.Thread(target=sell)
    with server.client() as client:
        skus(client, 0, 300)
        seller.start()
        try:
            taken = client.admin.TakeSnapshot(admin.TakeSnapshotRequest())
            copied(server, tmp_path / "copy", last=False)
        finally:
            stop.set()
            seller.join()
    restored = start("copy")
    with restored.client() as client:
        assert client.stock.GetStock(stock.GetStockRequest(sku="sku-299")).sku == "sku-299"
        info = client.admin.GetServerInfo(admin.GetServerInfoRequest())
    # The record after the snapshot's is the first that may be missing.
    assert info.sequence >= taken.sequence - 1


def test_a_backup_without_its_key_is_refused(start: Start, tmp_path: Path) -> None:
    server = start()
    made(server, 0, 3)
    code, words = refused_start(copied(server, tmp_path / "copy", key=False))
    assert code == ExitCode.DATA
    assert "the key of the buyers' hashes" in words


def test_a_journal_older_than_its_snapshots_is_refused_and_starts_without_them(
    start: Start, tmp_path: Path
) -> None:
    server = start()
    made(server, 0, 3)
    older = copied(server, tmp_path / "older")
    server.start()
    with server.client() as client:
        skus(client, 3, 3)
        client.admin.TakeSnapshot(admin.TakeSnapshotRequest())
    assert server.stop() == 0
    shutil.copytree(server.data_dir / "snapshots", older / "snapshots")
    code, words = refused_start(older)
    assert code == ExitCode.DATA
    assert "which the journal does not have" in words
    shutil.rmtree(older / "snapshots")
    assert known(start("older")) == 3


def test_a_journal_older_than_its_database_is_refused_until_the_database_is_built_again(
    start: Start, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    server = start(DATABASE_URL=url)
    made(server, 0, 3)
    older = copied(server, tmp_path / "older")
    server.start()
    made(server, 3, 3)
    code, words = refused_start(older, DATABASE_URL=url)
    assert code == ExitCode.DATABASE
    assert "which the journal does not have" in words
    verified = offline("verify", older, url)
    assert verified.returncode == 1
    assert "the journal does not reach where the database stands" in " ".join(verified.stderr.split())
    assert offline("rebuild", older, url).returncode == 0
    assert offline("verify", older, url).returncode == 0
    assert known(start("older", DATABASE_URL=url)) == 3
