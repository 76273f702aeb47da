"""The Python door over an engine with memory: bytes through, refusals whole, streams in order, what only it refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import grpc
import pytest
from fake_core import FakeCore
from google.protobuf.empty_pb2 import Empty
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from lockstock.v1 import operations_pb2
from lockstock_server.doors import intake as intake_module
from lockstock_server.doors import stock
from lockstock_server.doors.authorize import Authorize, everybody
from lockstock_server.doors.calls import HELD_BYTES_MAX, HELD_MAX, Calls
from lockstock_server.doors.intake import Intake
from lockstock_server.doors.raw import Handler, read
from lockstock_server.doors.server import SERVICES, Door
from lockstock_server.doors.status import Statuses
from lockstock_server.metrics import DoorMetrics, engine_metric
from lockstock_server.refusals import Refused
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

LOCK = "/lockstock.v1.StockService/Lock"
EXECUTE = "/lockstock.v1.StockService/Execute"
CODES = {"METHOD_UNKNOWN": ("UNIMPLEMENTED", "never", ["method"], "there is no method {method}")}
CODES |= {"OVERLOADED": ("RESOURCE_EXHAUSTED", "soon", ["limit"], "too much is in flight: {limit}")}
CODES |= {"MESSAGE_TOO_LARGE": ("RESOURCE_EXHAUSTED", "never", ["limit"], "longer than {limit} bytes")}
CODES |= {"DRAINING": ("UNAVAILABLE", "soon", [], "the server is stopping")}
CODES |= {"MALFORMED_MESSAGE": ("INVALID_ARGUMENT", "never", ["cause"], "cannot be read: {cause}")}
CODES |= {
    "PERMISSION_DENIED": ("PERMISSION_DENIED", "never", ["method"], "this caller may not call {method}")
}


def statuses() -> Statuses:
    rows = [
        {"number": n, "name": name, "code": code, "retry": retry, "metadata": metadata, "words": words}
        for n, (name, (code, retry, metadata, words)) in enumerate(CODES.items())
    ]
    return Statuses(json.dumps(rows), retry_hint=0.25)


async def malformed(request: bytes) -> tuple[bool, bytes]:
    return True, read(operations_pb2.LockRequest, request).SerializeToString()


async def long_answer(request: bytes) -> tuple[bool, bytes]:
    return True, bytes(int(request))


async def broken(_request: bytes) -> tuple[bool, bytes]:
    raise ZeroDivisionError


class Served:
    """A door on a free port, and a channel to it."""

    def __init__(self, core: FakeCore, authorize: Authorize) -> None:
        self.core = core
        self.calls = Calls(core)
        self.registry = CollectorRegistry()
        intake = self.intake = Intake()
        handler = Handler(
            {
                **stock.unary(self.calls),
                "/lockstock.v1.Test/Read": malformed,
                "/lockstock.v1.Test/Broken": broken,
                "/lockstock.v1.Test/Long": long_answer,
                "/lockstock.v1.Test/GetLong": long_answer,
            },
            stock.streams(self.calls, intake),
            statuses(),
            DoorMetrics(self.registry),
            intake,
        )
        self.door = Door("127.0.0.1:0", handler, authorize, message_bytes=16 << 20, streams=100)
        self.channel = grpc.aio.insecure_channel(
            self.door.address, options=[("grpc.max_send_message_length", -1)]
        )

    def unary(self, method: str) -> Any:
        return self.channel.unary_unary(method)

    async def inside(self, count: int) -> None:
        """Waits until so many calls wait for their answers."""
        while self.calls.in_flight() < count:  # noqa: ASYNC110 - the door tells nobody
            await asyncio.sleep(0)

    async def dropped(self) -> None:
        """Waits until no bytes of long messages are kept."""
        while self.intake.kept():  # noqa: ASYNC110 - the door tells nobody
            await asyncio.sleep(0)

    async def left(self, count: int) -> None:
        """Waits until no more than so many calls are inside the door."""
        while self.intake.count() > count:  # noqa: ASYNC110 - the door tells nobody
            await asyncio.sleep(0)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async for it in serve(everybody):
        yield it


async def serve(authorize: Authorize) -> AsyncIterator[Served]:
    core = FakeCore()
    it = Served(core, authorize)
    await it.door.start()
    yield it
    await it.channel.close()
    await it.door.stop(0)
    it.calls.close()
    core.close()


def details(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    found = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(found, bytes)
    status: status_pb2.Status = status_pb2.Status.FromString(found)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    return status


def info(status: status_pb2.Status) -> tuple[str, Mapping[str, str]]:
    found = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(found) for detail in status.details)
    return found.reason, dict(found.metadata)


async def test_bytes_go_to_the_engine_and_its_bytes_come_back(served: Served) -> None:
    answer = operations_pb2.Answer.FromString(await served.unary(LOCK)(b"now"))
    assert (answer.sequence, answer.owner) == (1, "now")
    assert served.core.asked == [(LOCK, b"now")]


async def test_an_answer_leaves_when_the_engine_releases_it_and_not_before(served: Served) -> None:
    served.core.syncing = False
    calls = [asyncio.ensure_future(served.unary(LOCK)(f"c{n}".encode())) for n in range(50)]
    await served.inside(50)
    assert not any(call.done() for call in calls)
    served.core.syncing = True
    served.core.sync()
    answers = [operations_pb2.Answer.FromString(await call) for call in calls]
    assert {answer.owner for answer in answers} == {f"c{n}" for n in range(50)}


async def test_what_comes_while_the_disk_is_at_work_goes_when_it_is_done_in_order_and_all_at_once(
    served: Served,
) -> None:
    served.core.syncing = False
    first = asyncio.ensure_future(served.calls.payload(LOCK, b"first"))
    await served.core.asked_times(1)
    later = [served.calls.submit(LOCK, f"c{n}".encode()) for n in range(HELD_MAX - 1)]
    assert [request for _, request in served.core.asked] == [b"first"]
    served.core.sync()
    await first
    await served.core.asked_times(HELD_MAX)
    assert [request for _, request in served.core.asked[1:]] == [
        f"c{n}".encode() for n in range(HELD_MAX - 1)
    ]
    served.core.sync()
    await asyncio.gather(*later)


async def test_a_caller_who_is_alone_is_not_held_back(served: Served) -> None:
    for n in range(3):
        answer = served.calls.submit(LOCK, b"alone")
        assert len(served.core.asked) == n + 1
        await answer


async def test_calls_that_come_together_are_one_burst(served: Served) -> None:
    served.core.syncing = False
    together = [served.calls.submit(LOCK, f"a{n}".encode()) for n in range(3)]
    served.core.sync()
    await served.core.asked_times(3)
    served.core.sync()
    await asyncio.gather(*together)
    for n in range(5):
        served.calls.submit(LOCK, f"c{n}".encode())
        await asyncio.sleep(0)
        assert len(served.core.asked) == 3
    await served.core.asked_times(4)
    assert len(served.core.asked) == 8


@pytest.mark.parametrize(
    "last", [b"one more", bytes(HELD_BYTES_MAX + 1)], ids=["too many", "one that takes long"]
)
async def test_no_more_is_held_back_than_the_engine_takes_at_a_stroke(served: Served, last: bytes) -> None:
    served.core.syncing = False
    served.calls.submit(LOCK, b"first")
    await served.core.asked_times(1)
    count = HELD_MAX - 1 if last == b"one more" else 3
    requests = [*(f"c{n}".encode() for n in range(count)), last]
    for request in requests:
        served.calls.submit(LOCK, request)
    assert [request for _, request in served.core.asked] == [b"first", *requests]


async def test_a_caller_who_goes_away_does_not_disturb_the_others(served: Served) -> None:
    served.core.syncing = False
    gone = served.unary(LOCK)(b"gone")
    await served.core.asked_times(1)
    unheard = served.unary(LOCK)(b"unheard")
    await served.inside(2)
    stays = asyncio.ensure_future(served.unary(LOCK)(b"stays"))
    await served.inside(3)
    gone.cancel()
    unheard.cancel()
    await served.left(1)
    served.core.sync()
    await served.core.asked_times(2)
    served.core.sync()
    assert operations_pb2.Answer.FromString(await stays).owner == "stays"
    assert served.calls.in_flight() == 0
    assert [request for _, request in served.core.asked] == [b"gone", b"stays"]


@pytest.mark.parametrize("breaks", [b"break it", b"panic over it"])
async def test_a_core_that_breaks_over_one_call_still_answers_the_others(
    served: Served, breaks: bytes
) -> None:
    served.core.syncing = False
    calls = [asyncio.ensure_future(served.unary(LOCK)(b"first"))]
    await served.core.asked_times(1)
    for request in (breaks, b"now"):
        calls.append(asyncio.ensure_future(served.unary(LOCK)(request)))
        await served.inside(len(calls))
    served.core.sync()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers[1], grpc.aio.AioRpcError)
    assert answers[1].code() is grpc.StatusCode.INTERNAL
    assert isinstance(answers[2], bytes)


async def test_a_refusal_of_the_engine_comes_whole(served: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await served.unary(LOCK)(b"refuse this")
    assert error.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert details(error.value).message == "refuse this"


@pytest.mark.parametrize(
    ("method", "request_bytes", "code", "reason"),
    [
        ("/lockstock.v1.StockService/Steal", b"", grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN"),
        (
            "/lockstock.internal.v1.Documents/PutDocuments",
            b"",
            grpc.StatusCode.UNIMPLEMENTED,
            "METHOD_UNKNOWN",
        ),
        ("/nobody/knows", b"", grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN"),
        ("/lockstock.v1.Test/Read", b"\xff\xff", grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE"),
        ("/lockstock.v1.Test/Read", b"\x12\x01\xff", grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE"),
        (
            "/lockstock.v1.Test/Read",
            b"\x00" * ((8 << 20) + 1),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "MESSAGE_TOO_LARGE",
        ),
    ],
)
async def test_what_the_engine_never_sees_is_refused_in_the_same_terms(
    served: Served, method: str, request_bytes: bytes, code: grpc.StatusCode, reason: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await served.unary(method)(request_bytes)
    assert error.value.code() is code
    assert info(details(error.value))[0] == reason
    assert served.core.asked == []


async def test_a_defect_of_ours_is_internal_and_tells_nothing(served: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await served.unary("/lockstock.v1.Test/Broken")(b"")
    assert error.value.code() is grpc.StatusCode.INTERNAL
    assert "ZeroDivision" not in (error.value.details() or "")


async def test_a_stream_answers_in_the_order_of_its_commands_while_more_come(served: Served) -> None:
    served.core.syncing = False
    stream: Any = served.channel.stream_stream(EXECUTE)()
    for n in range(5):
        await stream.write(f"c{n}".encode())
    await served.inside(5)
    await stream.write(b"now")
    await served.inside(6)
    served.core.sync()
    await served.core.asked_times(6)
    served.core.sync()
    await stream.done_writing()
    results = [operations_pb2.Result.FromString(result) async for result in stream]
    assert [result.answer.owner for result in results] == ["c0", "c1", "c2", "c3", "c4", "now"]


async def test_a_refused_command_is_a_result_and_ends_no_stream(served: Served) -> None:
    stream: Any = served.channel.stream_stream(EXECUTE)()
    for command in (b"now", b"refuse it", b"later"):
        await stream.write(command)
    await stream.done_writing()
    results = [operations_pb2.Result.FromString(result) async for result in stream]
    assert [result.WhichOneof("result") for result in results] == ["answer", "status", "answer"]
    assert results[1].status.message == "refuse it"


async def test_a_stream_has_no_more_than_its_window_in_flight(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock, "WINDOW", 4)
    served.core.syncing = False
    stream: Any = served.channel.stream_stream(EXECUTE)()
    writing = asyncio.ensure_future(_write_all(stream, 40))
    await served.inside(5)
    await writing
    # One is being answered, four wait, one is held by the reader: the others stay with the transport.
    assert served.calls.in_flight() <= 6
    served.core.syncing = True
    served.core.sync()
    results = [operations_pb2.Result.FromString(result) async for result in stream]
    assert [result.answer.owner for result in results] == [f"c{n}" for n in range(40)]


async def _write_all(stream: Any, count: int) -> None:
    for n in range(count):
        await stream.write(f"c{n}".encode())
    await stream.done_writing()


async def test_a_door_that_stops_answers_who_is_inside_and_refuses_who_knocks(served: Served) -> None:
    served.core.syncing = False
    inside = asyncio.ensure_future(served.unary(LOCK)(b"inside"))
    stream: Any = served.channel.stream_stream(EXECUTE)()
    await stream.write(b"submitted")
    await served.inside(2)
    stopping = asyncio.ensure_future(served.door.stop(60))
    await asyncio.sleep(0)
    for method in (LOCK, "/nobody/knows"):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await served.unary(method)(b"knocks")
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        assert info(details(error.value))[0] == "DRAINING"
    served.core.syncing = True
    served.core.sync()
    assert operations_pb2.Answer.FromString(await inside).owner == "inside"
    assert operations_pb2.Result.FromString(await stream.read()).answer.owner == "submitted"
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stream.read()
    assert info(details(error.value))[0] == "DRAINING"
    await stopping
    assert len(served.core.asked) == 2


async def test_long_requests_are_refused_beyond_the_doors_bytes_and_taken_again_when_there_is_room(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "KEPT_BYTES_MAX", 100_000)
    served.core.syncing = False
    long = b"x" * 60_000
    kept = asyncio.ensure_future(served.unary(LOCK)(long))
    await served.core.asked_times(1)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await served.unary(LOCK)(long)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert info(details(error.value)) == ("OVERLOADED", {"limit": "bytes of long messages 100000"})
    assert len(served.core.asked) == 1
    # What is short is served all the same; and what has taken effect is answered, however long.
    served.core.syncing = True
    served.core.sync()
    assert operations_pb2.Answer.FromString(await kept).owner == long.decode()
    await served.dropped()
    await served.unary(LOCK)(long)


async def test_a_long_answer_to_a_read_is_refused_where_others_do_not_take_theirs(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "KEPT_BYTES_MAX", 100_000)
    assert len(await served.unary("/lockstock.v1.Test/GetLong")(b"60000")) == 60_000
    await served.dropped()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await served.unary("/lockstock.v1.Test/GetLong")(b"100001")
    assert info(details(error.value))[0] == "OVERLOADED"
    # The same length from a call that changed something.
    assert len(await served.unary("/lockstock.v1.Test/Long")(b"100001")) == 100_001
    await served.dropped()


async def test_a_caller_who_goes_away_leaves_none_of_his_bytes(served: Served) -> None:
    served.core.syncing = False
    gone = served.unary(LOCK)(b"x" * 60_000)
    await served.core.asked_times(1)
    assert served.intake.kept() == 60_000
    gone.cancel()
    await served.dropped()


async def test_health_is_told_for_every_service_and_turns_with_the_door(served: Served) -> None:
    health: Any = health_pb2_grpc.HealthStub(served.channel)
    for service in ("", *SERVICES):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    await served.door.set_health(serving=False)
    answer = await health.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_reflection_lists_the_services(served: Served) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(cast("Any", served.channel))
    stream = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    answer = await stream.read()
    listed = {service.name for service in answer.list_services_response.service}
    assert set(SERVICES) < listed


async def test_one_hook_stands_before_every_method() -> None:
    asked: list[tuple[object, str]] = []

    def nobody_steals(caller: Mapping[str, str | bytes], method: str) -> bool:
        asked.append((caller.get("who"), method))
        return caller.get("who") != "thief"

    async for served in serve(nobody_steals):
        await served.unary(LOCK)(b"now", metadata=(("who", "clerk"),))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await served.unary(LOCK)(b"now", metadata=(("who", "thief"),))
        assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert asked == [("clerk", LOCK), ("thief", LOCK)]
        assert len(served.core.asked) == 1


async def test_calls_are_counted_by_method_and_outcome_and_unknown_methods_under_one_name(
    served: Served,
) -> None:
    await served.unary(LOCK)(b"now")
    for method, request in ((LOCK, b"refuse"), ("/a/b", b""), ("/c/d", b"")):
        with pytest.raises(grpc.aio.AioRpcError):
            await served.unary(method)(request)
    text = generate_latest(served.registry).decode()
    assert 'lockstock_door_calls_total{method="Lock",outcome="ok"} 1.0' in text
    assert 'lockstock_door_calls_total{method="Lock",outcome="refused"} 1.0' in text
    assert 'lockstock_door_calls_total{method="unknown",outcome="refused"} 2.0' in text
    assert "lockstock_door_calls_in_flight 0.0" in text


def test_a_status_names_reason_metadata_and_words_and_a_hint_where_a_retry_helps() -> None:
    status = statuses().of(Refused("OVERLOADED", limit="records"))
    assert (status.code, status.message) == (8, "too much is in flight: records")
    assert info(status) == ("OVERLOADED", {"limit": "records"})
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    assert retry.retry_delay.ToMilliseconds() == 250
    assert not any(detail.Is(Empty.DESCRIPTOR) for detail in status.details)


@pytest.mark.parametrize("refused", [Refused("NO_SUCH_REASON"), Refused("OVERLOADED", limitt="x")])
def test_a_reason_or_metadata_off_the_list_is_a_defect(refused: Refused) -> None:
    with pytest.raises(KeyError):
        statuses().of(refused)


def test_the_engines_metrics_are_prometheus_metrics() -> None:
    registry = CollectorRegistry()

    class Once(Collector):
        def collect(self) -> list[Any]:
            return [
                engine_metric("lockstock_swept_total", "counter", "Swept.", [[{}, 3]]),
                engine_metric(
                    "lockstock_sync_seconds",
                    "histogram",
                    "Syncs.",
                    [
                        [{"__series": "bucket", "le": "0.1"}, 1],
                        [{"__series": "bucket", "le": "+Inf"}, 2],
                        [{"__series": "sum"}, 0.3],
                        [{"__series": "count"}, 2],
                    ],
                ),
            ]

    registry.register(Once())
    text = generate_latest(registry).decode()
    assert "lockstock_swept_total 3.0" in text
    assert 'lockstock_sync_seconds_bucket{le="0.1"} 1.0' in text
    assert "lockstock_sync_seconds_count 2.0" in text
