"""A real server that dies again and again, and what must hold each time."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lockstock
from lockstock.v1 import admin_pb2
from lockstock_server.cli.offline import Verified, verify_directory
from lockstock_server.flash_sale.server_process import ServerProcess, ServerProcessError
from lockstock_server.projection import compare

from support.crowd import Crowd, Fates, stock_up
from support.waiting import SOON, wait_until
from support.world import Plan, World

# Small, so that segments are switched and snapshots written every few seconds.
SMALL = {
    "LOCKSTOCK_SEGMENT_BYTES": "65536",
    "LOCKSTOCK_SNAPSHOT_EVERY_BYTES": "131072",
    "LOCKSTOCK_HOLD_DEFAULT": "86400",
    "LOCKSTOCK_PROJECTION_RETRY_MAX": "0.2",
    "LOCKSTOCK_DISK_FLOOR_BYTES": "1MiB",
}


class Victim(ServerProcess):
    """A server in its world, with its crowd; `rerun` is said by every failure."""

    def __init__(
        self, directory: Path, library: Path, *, seed: int, rerun: str, settings: dict[str, str] | None = None
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.world = World(directory / "world", library)
        super().__init__(directory, {**SMALL, **self.world.environment(), **(settings or {})})
        self.database_url = (settings or {}).get("LOCKSTOCK_DATABASE_URL", self.database_url)
        self.crowd = Crowd(seed)
        self._doors = [self.address, self.fast_lane]
        self.rerun = f"seed {seed}: {rerun}"

    @property
    def roots(self) -> list[Path]:
        """What of the disk is this server's."""
        return [self.data_dir, self.directory / "lockstock.db"]

    def begin(self, plan: Plan | None = None) -> None:
        """Starts it in a world that goes by a plan (none: an ordinary one)."""
        self.world.begin_life()
        self.world.change(plan or Plan())
        self.start()

    def begin_selling(self, plan: Plan | None = None) -> None:
        """The first start, with something to sell."""
        self.begin(plan)
        stock_up(self.address)

    def load(self) -> None:
        """Sets the crowd on both ports."""
        self.crowd.begin(self.address, self.fast_lane)

    def died(self) -> int:
        """Waits until it is dead, and its crowd gone; the exit code, negative for a signal."""
        process = self.process
        try:
            code = process.wait(SOON)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it lives; came about: {self.world.came_about()}; {self.rerun}") from None
        finally:
            self.crowd.end()
        return code

    def dies_at_start(self, plan: Plan) -> int:
        """Starts it in a world in which it cannot come up; the exit code."""
        try:
            self.begin(plan)
        except ServerProcessError:
            return self.process.wait(SOON)
        raise AssertionError(f"it came up; came about: {self.world.came_about()}; {self.rerun}")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stops it, every thread of it, and lets it go on at the end."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            # The signal is only sent: a thread on another core runs on until it meets it.
            wait_until(self._stands_still, "every thread stands still")
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def _stands_still(self) -> bool:
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/stat")
        try:
            return all(thread.read_text().rpartition(") ")[2][0] == "T" for thread in threads)
        except FileNotFoundError:
            # A thread that ended while we looked: not everything stands yet.
            return False

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def info(self) -> admin_pb2.GetServerInfoResponse:
        with lockstock.connect(self.address) as shop:
            return shop.admin.GetServerInfo(admin_pb2.GetServerInfoRequest())

    def metrics(self) -> str:
        serving = [line for line in self.log_text().splitlines() if '"event": "serving"' in line]
        address = json.loads(serving[-1])["metrics_address"]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=SOON) as answer:
            return str(answer.read().decode())

    def check(self) -> Fates:
        """Everything acknowledged is there with its answer, nothing is oversold; what became of the rest."""
        self._doors.reverse()
        asked, counted = self._doors
        try:
            fates = self.crowd.check(asked)
            # The other door counts the same units.
            self.crowd.check(counted)
        except AssertionError as wrong:
            raise AssertionError(f"{self.rerun}\n{wrong}") from wrong
        return fates

    def check_dead(self) -> Verified:
        """Journal, snapshots and database of a dead server, on a copy: the next start finds all as it was left."""
        copy = self.directory / "autopsy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        shutil.copytree(self.data_dir, copy / "data")
        url = self.database_url
        if url.startswith("sqlite"):
            for path in self.directory.glob("lockstock.db*"):
                shutil.copy(path, copy / path.name)
            url = f"sqlite:///{copy / 'lockstock.db'}"
        found = verify_directory(copy / "data", url)
        assert found.faults == [], (found.faults, self.rerun)
        assert (found.database_sequence or 0) <= found.summary["sequence"], self.rerun
        return found

    def catch_up(self) -> None:
        """Waits until the database stands where the journal does."""

        def caught_up() -> bool:
            info = self.info()
            return info.projection.sequence == info.durable_sequence

        wait_until(caught_up, f"the database catches up; {self.rerun}")

    def catch_up_under_load(self) -> None:
        """Waits until the database stands where the journal stands now."""
        now = self.info().durable_sequence
        wait_until(lambda: self.info().projection.sequence >= now, f"the database comes back; {self.rerun}")

    def check_running(self) -> None:
        """The database against a replay of the journal, row by row, while the server runs and nobody buys."""
        self.catch_up()
        found = compare.compare(self.database_url, self.data_dir)
        assert found.differences == [], (found.differences, self.rerun)
        assert found.sequence == self.info().durable_sequence, self.rerun

    def end(self) -> None:
        """Everything that was ever acknowledged once more, a graceful stop, and all compared offline to the end."""
        self.crowd.check(self.address, from_the_beginning=True)
        self.catch_up()
        assert self.stop() == 0, self.rerun
        found = self.check_dead()
        assert found.database_sequence == found.summary["sequence"], self.rerun

    def put_away(self) -> None:
        """Leaves nothing running, whatever happened."""
        self.crowd.end()
        if self.alive:
            self.kill()
        self.world.close()
