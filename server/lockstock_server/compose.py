"""The composition root: the one file that knows which engine, database and clock are real.

Start: database (what it proves), engine (recovery), catalogue, projector, metrics, fast lane, Python door.
Stop: not serving, no new calls, both doors drain, projector catches up, engine syncs and closes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from lockstock.v1 import admin_pb2

from lockstock_server import _core, logs
from lockstock_server.admin import Admin
from lockstock_server.catalog.documents import Documents
from lockstock_server.catalog.service import Catalog
from lockstock_server.doors import catalog as catalog_door
from lockstock_server.doors import orders as orders_door
from lockstock_server.doors import routing as routing_door
from lockstock_server.doors import stock as stock_door
from lockstock_server.doors.authorize import Authorize, everybody
from lockstock_server.doors.calls import Calls
from lockstock_server.doors.intake import Intake
from lockstock_server.doors.raw import Handler
from lockstock_server.doors.server import Door
from lockstock_server.doors.status import Statuses
from lockstock_server.errors import ExitCode, StartError
from lockstock_server.metrics import DoorMetrics, Endpoint, EngineMetrics, NumbersCollector, new_registry
from lockstock_server.orders.service import Orders
from lockstock_server.projection import DatabaseAwayError, ProjectionError, Projector, read_position
from lockstock_server.reports.orders import OrderReports, movements_of_reservations
from lockstock_server.reports.reader import Reports
from lockstock_server.reports.routes import RouteArchive
from lockstock_server.routing.past import effects
from lockstock_server.routing.planner import Planner
from lockstock_server.routing.service import Routing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from lockstock_server.settings import Settings

log = logs.get(__name__)

WATCH_SECONDS = 0.2
"""How soon a failure of the engine is seen at the latest when nobody calls."""

EXIT_GRACE_SECONDS = 2.0
"""What a stop may take beyond its deadline before the watchdog ends the process."""


def engine_settings(settings: Settings, proved: int) -> str:
    """The engine's settings as its JSON; `proved` is what the database shows to be durable."""
    return json.dumps(
        {
            "data_dir": str(settings.data_dir),
            "durability": settings.durability,
            "limits": {
                "hold_default_us": micros(settings.hold_default),
                "hold_max_us": micros(settings.hold_max),
                "extensions_max": settings.extensions_max,
                "lock_lifetime_max_us": micros(settings.lock_lifetime_max),
                "key_retention_us": micros(settings.request_id_retention),
                "keys_max": settings.request_ids_max,
            },
            "segment_bytes": settings.segment_bytes,
            "in_flight_records_max": settings.in_flight_records_max,
            "in_flight_bytes_max": settings.in_flight_bytes_max,
            "disk_floor_bytes": settings.disk_floor_bytes,
            "sweep_interval_ms": millis(settings.sweep_interval),
            "snapshot_every_bytes": settings.snapshot_every_bytes,
            "proved_by_database": proved,
            "retry_hint_ms": millis(settings.retry_hint),
        }
    )


def micros(period: timedelta) -> int:
    """Whole microseconds."""
    return round(period.total_seconds() * 1_000_000)


def millis(period: timedelta) -> int:
    """Whole milliseconds, at least one."""
    return max(1, round(period.total_seconds() * 1_000))


def proved_by_database(url: str) -> int:
    """The sequence that the database shows to be durable; 0 where it is empty or away. Raises StartError."""
    try:
        position = read_position(url)
    except ProjectionError as error:
        raise StartError(ExitCode.SETTINGS, str(error)) from error
    except DatabaseAwayError as error:
        # It is not needed to sell: the projector will look for it again.
        log.warning("database_away", sentence=str(error))
        return 0
    return 0 if position is None else position.sequence


def fast_lane_settings(settings: Settings) -> str:
    """The fast lane's settings as its JSON."""
    return json.dumps(
        {
            "threads": settings.fast_lane_threads,
            "message_bytes_max": settings.message_bytes_max,
            "connections_max": settings.fast_lane_connections_max,
            "streams_per_connection_max": settings.concurrent_streams_max,
        }
    )


class Running:
    """A running server: its bound addresses, and how it ends. Made by `start`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._stop_asked = asyncio.Event()
        self._failure: str | None = None
        self._stopping = False
        # What has been started, with how it is undone; undone in reverse where the start breaks off.
        # Told when a stop begins, whatever asked for it.
        self.on_stop: Callable[[], None] = lambda: None
        self._undo: list[Callable[[], Awaitable[object]]] = []
        self.address = ""
        self.fast_lane_address = ""
        self.metrics_address = ""

    # --- how it stands ---

    def ready(self) -> tuple[bool, str]:
        """Tell whether calls are taken, and the word for it."""
        if self._stopping or not self.address:
            return False, "stopping" if self._stopping else "starting"
        status = json.loads(self._core.status())
        return bool(status["ready"]), str(status.get("failure") or status["state"])

    def request_stop(self) -> None:
        """Begin a graceful stop, as SIGTERM does. May be called from any thread, and again."""
        self._loop.call_soon_threadsafe(self._stop_asked.set)

    async def wait(self) -> ExitCode:
        """Wait until a stop is asked for or the engine fails, then stop; the exit code."""
        await self._stop_asked.wait()
        self.on_stop()
        return await self.stop()

    # --- start ---

    async def open(self, authorize: Authorize) -> None:
        """Start everything, in order. Raises StartError, with nothing left running."""
        try:
            await self._open(authorize)
        except BaseException:
            self._stopping = True
            for undo in reversed(self._undo):
                await undo()
            raise

    async def _open(self, authorize: Authorize) -> None:
        settings = self._settings
        proved = await asyncio.to_thread(proved_by_database, settings.database)
        try:
            core = await asyncio.to_thread(_core.Engine.open, engine_settings(settings, proved))
        except _core.CoreError as error:
            raise StartError(error.code, str(error)) from error
        self._core = core
        self._undo.append(lambda: asyncio.to_thread(core.close))
        log.info("recovered", **json.loads(core.recovery()))
        # Unless the operator has said otherwise. What was recovered keeps its huge pages: it is found faster in them.
        if "MIMALLOC_ALLOW_THP" not in os.environ:
            _core.refuse_huge_pages()

        self._calls = Calls(core)
        self._undo.append(self._close_calls)
        self._catalog = Catalog(Documents(self._calls.call))
        await self._catalog.load()

        try:
            self._projector = Projector(
                core,
                settings.database,
                max_events=settings.projection_batch_events,
                poll_interval=settings.projection_interval.total_seconds(),
                backoff_max=settings.projection_retry_max.total_seconds(),
            )
            await asyncio.to_thread(self._projector.start)
        except ProjectionError as error:
            raise StartError(ExitCode.DATABASE, str(error)) from error
        self._undo.append(lambda: asyncio.to_thread(self._projector.stop, 0.0))
        self._reports = Reports(
            settings.database,
            journal_id=json.loads(core.status())["journal_id"],
            follower=self._projector,
            newest=self._newest,
        )
        self._undo.append(lambda: asyncio.to_thread(self._reports.close))

        registry = new_registry()
        registry.register(EngineMetrics(core))
        registry.register(NumbersCollector(self._numbers))
        self._endpoint: Endpoint | None = None
        if settings.metrics_address:
            endpoint = self._endpoint = Endpoint(settings.metrics_address, registry, self.ready)
            self.metrics_address = endpoint.address
            self._undo.append(lambda: asyncio.to_thread(endpoint.close))

        self._fast_lane: _core.FastLane | None = None
        if settings.fast_lane_address:
            try:
                lane = core.serve_fast_lane(
                    settings.fast_lane_address,
                    fast_lane_settings(settings),
                    # Nobody to ask: Python stays off the lane.
                    None if authorize is everybody else authorize,
                )
            except _core.CoreError as error:
                raise StartError(error.code, str(error)) from error
            self._fast_lane = lane
            self.fast_lane_address = lane.address
            self._undo.append(lambda: _shut(lane))

        self._door = self._new_door(authorize, DoorMetrics(registry))
        await self._door.start()
        self._watch = asyncio.create_task(self._watch_engine())
        self._undo.append(self._close_door)
        self.address = self._door.address

    def _new_door(self, authorize: Authorize, metrics: DoorMetrics) -> Door:
        settings = self._settings
        statuses = Statuses(_core.reasons(), settings.retry_hint.total_seconds())
        admin = Admin(
            self._core,
            settings,
            self,
            build_profile=_core.BUILD_PROFILE,
            fast_lane_address=self.fast_lane_address,
            stop=self.request_stop,
        )
        archive = OrderReports(self._reports, movements_of_reservations(_core.movements()))
        orders = Orders(self._calls.call, archive, self._core.buyer_hash)
        planner = Planner(self._catalog.plans.network)
        routing = Routing(
            self._catalog.plans,
            self._catalog.view,
            self._calls.call,
            RouteArchive(self._reports),
            effects(_core.movements()),
            _core.route,
        )
        unary = {
            **stock_door.unary(self._calls),
            **orders_door.unary(self._calls, orders, planner),
            **routing_door.unary(routing),
            **catalog_door.unary(self._catalog, statuses),
            **admin.unary(),
        }
        intake = Intake()
        return Door(
            settings.address,
            Handler(unary, stock_door.streams(self._calls, intake), statuses, metrics, intake),
            authorize,
            message_bytes=settings.message_bytes_max,
            streams=settings.concurrent_streams_max,
        )

    # --- while it runs ---

    def info(self) -> admin_pb2.ProjectionInfo:
        """Tell how far the database is."""
        status = self._projector.status
        return admin_pb2.ProjectionInfo(
            database=self._settings.database.partition(":")[0].partition("+")[0],
            sequence=status.sequence,
            connected=status.connected,
            last_error=status.last_error or "",
        )

    def _newest(self) -> int:
        return int(json.loads(self._core.status())["sequence"])

    def _numbers(self) -> dict[str, tuple[str, float]]:
        status = self._projector.status
        behind = max(0, json.loads(self._core.status())["durable_sequence"] - status.sequence)
        return {
            "lockstock_projection_sequence": ("The last sequence in the database.", status.sequence),
            "lockstock_projection_lag_records": ("Durable records that are not in the database.", behind),
            "lockstock_projection_connected": (
                "1 while the database answers and the journal can be read.",
                float(status.connected),
            ),
        }

    async def _watch_engine(self) -> None:
        """Wait for the engine to fail, and turn health off when it is no longer ready for another reason."""
        serving = True
        while True:
            failure = await asyncio.to_thread(self._core.wait_failed, WATCH_SECONDS)
            if failure is not None:
                self._failure = failure
                log.error("engine_failed", sentence=failure)
                self._stop_asked.set()
                return
            failed = json.loads(self._core.status())["state"] == "failed"
            if failed == serving:
                serving = not failed
                await self._door.set_health(serving=serving)

    # --- stop ---

    async def stop(self) -> ExitCode:
        """Stop gracefully within the deadline; what the process should exit with."""
        self._stopping = True
        deadline = time.monotonic() + self._settings.shutdown_deadline.total_seconds()
        log.info("stopping", reason=self._failure or "asked")
        self._watch.cancel()
        await asyncio.wait([self._watch])
        await self._door.set_health(serving=False)
        await asyncio.to_thread(self._core.drain)
        lane = (
            [] if self._fast_lane is None else [asyncio.to_thread(self._fast_lane.shutdown, left(deadline))]
        )
        await asyncio.gather(self._door.stop(left(deadline)), *lane)
        await asyncio.to_thread(self._reports.close)
        if self._failure is None:
            await asyncio.to_thread(self._projector.stop, left(deadline))
        else:
            await asyncio.to_thread(self._projector.stop, 0.0)
        await self._close_calls()
        try:
            await asyncio.to_thread(self._core.close)
        except _core.CoreError as error:
            self._failure = str(error)
        if self._endpoint is not None:
            await asyncio.to_thread(self._endpoint.close)
        code = ExitCode.OK if self._failure is None else ExitCode.ENGINE_FAILED
        log.info("stopped", exit_code=int(code), failure=self._failure)
        return code

    async def _close_calls(self) -> None:
        self._calls.close()

    async def _close_door(self) -> None:
        self._watch.cancel()
        await asyncio.wait([self._watch])
        await self._door.stop(0.0)


def left(deadline: float) -> float:
    """Seconds until the deadline, at least none."""
    return max(0.0, deadline - time.monotonic())


async def _shut(lane: _core.FastLane) -> None:
    await asyncio.to_thread(lane.shutdown, 0.0)


async def start(settings: Settings, authorize: Authorize = everybody) -> Running:
    """Start a server in this event loop. Raises StartError with a sentence."""
    running = Running(settings)
    await running.open(authorize)
    return running


async def serve(settings: Settings, on_ready: Callable[[Running], None] | None = None) -> ExitCode:
    """Serve until SIGTERM or SIGINT, or until the engine fails; the exit code. Raises StartError.

    `on_ready` is told when every address is bound and calls are taken.
    """
    running = await start(settings)
    # What stands now stays: the collector need not walk through it again and again while calls come and go.
    gc.collect()
    gc.freeze()
    running.on_stop = partial(arm_watchdog, settings.shutdown_deadline.total_seconds() + EXIT_GRACE_SECONDS)
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            # Who asks twice does not want to wait; what was acknowledged is durable.
            os._exit(ExitCode.STOP_DEADLINE)
        running.request_stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    try:
        # Not before: whoever reads this may ask for a stop at once.
        log.info(
            "serving",
            address=running.address,
            fast_lane_address=running.fast_lane_address,
            metrics_address=running.metrics_address,
            data_dir=str(settings.data_dir.absolute()),
            durability=str(settings.durability),
            build_profile=_core.BUILD_PROFILE,
            pid=os.getpid(),
        )
        if on_ready is not None:
            on_ready(running)
        return await running.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def arm_watchdog(seconds: float) -> None:
    """End the process for good after so many seconds, whatever hangs by then."""

    def end() -> None:
        log.error("stop_deadline_passed", seconds=seconds)
        os._exit(ExitCode.STOP_DEADLINE)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
