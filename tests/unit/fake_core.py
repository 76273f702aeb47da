"""An engine with memory for the doors: it echoes, in bursts, when it is told that the disk is done."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

from google.rpc import error_details_pb2, status_pb2
from lockstock.internal.v1 import orders_pb2 as seam
from lockstock.v1 import operations_pb2, stock_pb2


def refusal(words: str, reason: str = "") -> bytes:
    status = status_pb2.Status(code=9, message=words)
    if reason:
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="lockstock"))
    payload: bytes = status.SerializeToString()
    return payload


class Panic(BaseException):
    """What a panic of the core is: no Exception."""


@dataclass
class FakeCore:
    """Answers `Lock` with an Answer whose sequence counts the calls; holds it back until `sync`.

    What begins with "refuse" is refused, what begins with "now" may leave at once, over "break" it breaks.
    `refusing` says by which reason a method is refused. `reservations` are those it knows; `first_answers` the
    requests with a plan that it has answered, by their keys.
    """

    sequence: int = 0
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    held: list[tuple[int, bool, bytes]] = field(default_factory=list)
    ready: list[tuple[int, bool, bytes]] = field(default_factory=list)
    syncing: bool = True
    refusing: dict[str, str] = field(default_factory=dict)
    reservations: dict[str, stock_pb2.Reservation] = field(default_factory=dict)
    first_answers: dict[str, bytes] = field(default_factory=dict)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _fd: int = field(default_factory=lambda: os.eventfd(0, os.EFD_NONBLOCK))

    def completions_fd(self) -> int:
        return self._fd

    def call(self, method: str, request: bytes, token: int) -> tuple[bool, bytes] | None:
        self.asked.append((method, request))
        self._arrived.set()
        self.sequence += 1
        if request.startswith(b"break"):
            raise ZeroDivisionError
        if request.startswith(b"panic"):
            raise Panic
        if request.startswith(b"refuse"):
            return False, refusal(request.decode())
        if method in self.refusing:
            return False, refusal("refused", self.refusing[method])
        if method.endswith("GetReservation"):
            return self._reservation(stock_pb2.GetReservationRequest.FromString(request).reservation_id)
        if method.endswith("Planned"):
            return self._planned(request)
        answer = operations_pb2.Answer(sequence=self.sequence, owner=request.decode("latin-1"))
        payload = answer.SerializeToString()
        if method.endswith("Execute"):
            payload = operations_pb2.Result(answer=answer).SerializeToString()
        if request.startswith(b"now"):
            return True, payload
        self.held.append((token, True, payload))
        return None

    def journal(self) -> None:
        if self.syncing and self.held:
            self.sync()

    def _reservation(self, name: str) -> tuple[bool, bytes]:
        if name not in self.reservations:
            return False, refusal("no such reservation", "RESERVATION_NOT_FOUND")
        return True, self.reservations[name].SerializeToString()

    def _planned(self, request: bytes) -> tuple[bool, bytes]:
        """What came is recognised by its key, whatever its plan; new, it is refused where the plan is empty."""
        # Both messages have the request's cause and the plan in the same places.
        asked = seam.PlacePlannedRequest.FromString(request)
        key = asked.asked.cause.request_id
        if key in self.first_answers:
            return True, self.first_answers[key]
        if not asked.planned.warehouses:
            return False, refusal("no plan", "FIELD_REQUIRED")
        answer = operations_pb2.Answer(sequence=self.sequence, owner=asked.asked.order_id)
        payload = self.first_answers[key] = answer.SerializeToString()
        return True, payload

    async def asked_times(self, count: int) -> None:
        """Waits until so many calls have come."""
        while len(self.asked) < count:
            self._arrived.clear()
            await self._arrived.wait()

    def sync(self) -> None:
        self.ready += self.held
        self.held = []
        os.eventfd_write(self._fd, 1)

    def take_completions(self) -> list[tuple[int, bool, bytes]]:
        os.eventfd_read(self._fd)
        taken, self.ready = self.ready, []
        return taken

    def close(self) -> None:
        os.close(self._fd)

    def status(self) -> str:
        return "{}"

    def metrics(self) -> str:
        return "[]"

    def freeze(self) -> None:
        self.asked.append(("freeze", b""))

    def thaw(self) -> None:
        self.asked.append(("thaw", b""))

    def drain(self) -> None:
        self.asked.append(("drain", b""))

    def snapshot(self) -> tuple[int, int]:
        return self.sequence, 1
