"""AdminService: what an operator asks of a running server."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from lockstock.v1 import admin_pb2 as pb

from lockstock_server import __version__
from lockstock_server.doors.raw import read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lockstock_server.core import Core
    from lockstock_server.doors.calls import Payload
    from lockstock_server.doors.raw import Unary
    from lockstock_server.settings import Settings

SERVICE = pb.DESCRIPTOR.services_by_name["AdminService"]


class Projection(Protocol):
    """How far the database is."""

    def info(self) -> pb.ProjectionInfo:
        """Tell how far the database is."""


class Admin:
    """The methods of AdminService over the running parts."""

    def __init__(
        self,
        core: Core,
        settings: Settings,
        projection: Projection,
        *,
        build_profile: str,
        fast_lane_address: str,
        stop: Callable[[], None],
    ) -> None:
        self._core = core
        self._settings = settings
        self._projection = projection
        self._build_profile = build_profile
        self._fast_lane_address = fast_lane_address
        self._stop = stop

    def unary(self) -> dict[str, Unary]:
        """Give every method of the service, by its full name."""
        table: dict[str, tuple[type[Any], Callable[[], Awaitable[Any]]]] = {
            "GetServerInfo": (pb.GetServerInfoRequest, self._info),
            "TakeSnapshot": (pb.TakeSnapshotRequest, self._snapshot),
            "Drain": (pb.DrainRequest, self._drain),
            "Freeze": (pb.FreezeRequest, self._freeze),
            "Thaw": (pb.ThawRequest, self._thaw),
        }
        return {
            f"/{SERVICE.full_name}/{name}": partial(_serve, request, method)
            for name, (request, method) in table.items()
        }

    async def _info(self) -> pb.GetServerInfoResponse:
        status = json.loads(self._core.status())
        settings = self._settings
        info = pb.GetServerInfoResponse(
            version=__version__,
            build_profile=self._build_profile,
            journal_id=status["journal_id"],
            sequence=status["sequence"],
            durable_sequence=status["durable_sequence"],
            snapshot_sequence=status["snapshot_sequence"],
            projection=self._projection.info(),
            state=status["state"],
            durability=settings.durability,
            request_ids_max=settings.request_ids_max,
            extensions_max=settings.extensions_max,
            fast_lane_address=self._fast_lane_address,
            state_hash=str(status["state_hash"]),
            reservations=status["reservations"],
            skus=status["skus"],
        )
        info.request_id_retention.FromTimedelta(settings.request_id_retention)
        info.hold_default.FromTimedelta(settings.hold_default)
        info.hold_max.FromTimedelta(settings.hold_max)
        info.lock_lifetime_max.FromTimedelta(settings.lock_lifetime_max)
        return info

    async def _snapshot(self) -> pb.TakeSnapshotResponse:
        sequence, size = await asyncio.to_thread(self._core.snapshot)
        return pb.TakeSnapshotResponse(sequence=sequence, size_bytes=size)

    async def _drain(self) -> pb.DrainResponse:
        # At once, so that nothing is taken after the answer; what follows takes its time.
        self._core.drain()
        self._stop()
        return pb.DrainResponse()

    async def _freeze(self) -> pb.FreezeResponse:
        self._core.freeze()
        return pb.FreezeResponse()

    async def _thaw(self) -> pb.ThawResponse:
        self._core.thaw()
        return pb.ThawResponse()


async def _serve(request: type[Any], method: Callable[[], Awaitable[Any]], message: bytes) -> Payload:
    read(request, message)
    answer = await method()
    return True, answer.SerializeToString(deterministic=True)
