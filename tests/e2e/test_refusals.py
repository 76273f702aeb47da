"""Bad input of every kind gets its typed error on both doors, the same on both, and changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import lockstock
import pytest
from google.protobuf.message import Message
from lockstock.v1 import admin_pb2, errors_pb2, stock_pb2_grpc
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock
from lockstock_server import compose
from lockstock_server.flash_sale.server_process import ServerProcess
from lockstock_server.settings import load
from refusal_grounds import GROUNDS, Stubs
from refusal_orders import ORDERS
from refusal_table import NO_DOOR_CAN, STOCK_AND_CATALOGUE, Case, stock_line

TABLE = STOCK_AND_CATALOGUE + ORDERS
MESSAGE_BYTES_MAX = 16 << 20
OPTIONS = [
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
]


MOVES_BY_ITSELF = {
    "lapsed",  # what was swept on the way stays swept, and the sweeper has been woken
    "lapsed too",
    "forgetful",  # request ids are forgotten all the time
    "narrow",  # the case's first command is let in
}
"""Grounds where something happens besides the refused call."""


@dataclass
class Standing:
    """A server with its ground laid, and a channel to each door."""

    stubs: Stubs
    channels: dict[str, grpc.Channel]

    def fingerprint(self) -> tuple[int, str]:
        """What must not change: the sequence and the state hash."""
        info = self.stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest())
        return info.sequence, info.state_hash


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Standing]]:
    """Servers by ground, started when first asked for."""
    started: dict[str, Standing] = {}
    with ExitStack() as stack:

        def stand(name: str) -> Standing:
            if name not in started:
                ground = GROUNDS[name]
                directory: Path = tmp_path_factory.mktemp(name)
                server = ServerProcess(directory, ground.settings)
                stack.callback(server.kill)
                server.start()
                channels = {
                    "python": stack.enter_context(grpc.insecure_channel(server.address, options=OPTIONS)),
                    "fast": stack.enter_context(grpc.insecure_channel(server.fast_lane, options=OPTIONS)),
                }
                stubs = Stubs.of(channels["python"])
                ground.lay(stubs)
                started[name] = Standing(stubs, channels)
            return started[name]

        yield stand


def encoded(case: Case, remembered: dict[str, str]) -> bytes:
    """The case's bytes, with the request ids of its ground filled in."""
    request = case.request
    if callable(request):
        request = request()
    if isinstance(request, Message):
        cause = getattr(request, "cause", None)
        if cause is not None and cause.request_id.startswith("{"):
            cause.request_id = remembered[cause.request_id.strip("{}")]
        return request.SerializeToString()
    return request


def refusal(channel: grpc.Channel, case: Case, remembered: dict[str, str]) -> lockstock.LockstockError:
    """What a call is refused with; a stream's refusal stands in its result."""
    payload = encoded(case, remembered)
    if case.method.endswith("/Execute"):
        (result,) = stock_pb2_grpc.StockServiceStub(channel).Execute(iter([op.Command.FromString(payload)]))
        return lockstock.LockstockError.from_status(result.status)
    if case.ground == "narrow":
        batch = stock.ExecuteBatchRequest.FromString(payload)
        results = stock_pb2_grpc.StockServiceStub(channel).ExecuteBatch(batch).results
        return lockstock.LockstockError.from_status(results[-1].status)
    raw: Any = channel.unary_unary(case.method)
    with pytest.raises(grpc.RpcError) as raised:
        raw(payload, timeout=30)
    return lockstock.LockstockError.from_rpc(raised.value)


def told(stream: Iterator[op.Result]) -> lockstock.LockstockError:
    """What a stream is told next: by a result, or, where the stop was faster than the command, by its end."""
    try:
        return lockstock.LockstockError.from_status(next(stream).status)
    except grpc.RpcError as ended:
        return lockstock.LockstockError.from_rpc(ended)


def seen(error: lockstock.LockstockError) -> tuple[Any, ...]:
    details = sorted(detail.SerializeToString() for detail in error.details)
    return error.code, error.reason, error.message, error.metadata, details


@pytest.mark.parametrize(
    "case", [case for case in TABLE if case.ground not in {"draining", "guarded"}], ids=lambda case: case.name
)
def test_bad_input_is_refused_with_its_reason_alike_on_both_doors_and_changes_nothing(
    case: Case, standing: Callable[[str], Standing]
) -> None:
    server = standing(case.ground)
    by_itself = case.ground in MOVES_BY_ITSELF
    before = None if by_itself else server.fingerprint()
    errors = {door: refusal(server.channels[door], case, server.stubs.remembered) for door in case.doors}
    for door, error in errors.items():
        assert error.reason == case.reason, f"{door}: {error}"
        assert case.metadata.items() <= error.metadata.items(), f"{door}: {error.metadata}"
    if not by_itself:
        assert server.fingerprint() == before
        assert len({repr(seen(error)) for error in errors.values()}) == 1, errors


def test_commands_on_an_open_stream_are_refused_while_the_server_drains(
    standing: Callable[[str], Standing],
) -> None:
    (case,) = [case for case in TABLE if case.ground == "draining"]
    server = standing(case.ground)
    command = op.Command.FromString(encoded(case, {}))
    draining = threading.Event()

    def commands() -> Iterator[op.Command]:
        yield command
        assert draining.wait(30)
        yield op.Command(increase=op.IncreaseRequest(lines=[stock_line()]))

    streams = {
        door: stock_pb2_grpc.StockServiceStub(server.channels[door]).Execute(commands())
        for door in case.doors
    }
    first = {door: next(stream) for door, stream in streams.items()}
    assert {result.WhichOneof("result") for result in first.values()} == {"answer", "status"}
    server.stubs.admin.Drain(admin_pb2.DrainRequest())
    draining.set()
    for door, stream in streams.items():
        assert told(stream).reason == case.reason, door


async def test_one_hook_stands_before_both_doors(tmp_path: Path) -> None:
    (case,) = [case for case in TABLE if case.ground == "guarded"]
    asked: list[tuple[object, str]] = []

    def only_clerks(caller: Mapping[str, str | bytes], method: str) -> bool:
        asked.append((caller.get("who"), method))
        return caller.get("who") == "clerk"

    running = await compose.start(
        load(data_dir=tmp_path, address="127.0.0.1:0", fast_lane_address="127.0.0.1:0", metrics_address=""),
        authorize=only_clerks,
    )
    try:
        refused = []
        for address in (running.address, running.fast_lane_address):
            async with grpc.aio.insecure_channel(address) as channel:
                call: Any = channel.unary_unary(case.method)
                with pytest.raises(grpc.aio.AioRpcError) as thief:
                    await call(encoded(case, {}), metadata=(("who", "thief"),))
                refused.append(lockstock.LockstockError.from_rpc(thief.value))
                with pytest.raises(grpc.aio.AioRpcError) as clerk:
                    await call(encoded(case, {}), metadata=(("who", "clerk"),))
                assert lockstock.LockstockError.from_rpc(clerk.value).reason == "SKU_NOT_FOUND"
    finally:
        await running.stop()
    assert [(error.reason, error.metadata) for error in refused] == [(case.reason, case.metadata)] * 2
    assert repr(seen(refused[0])) == repr(seen(refused[1]))
    assert asked == [("thief", case.method), ("clerk", case.method)] * 2


def test_every_reason_of_the_closed_list_is_produced() -> None:
    known = {name.removeprefix("REASON_") for name in errors_pb2.Reason.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
    assert {case.reason for case in TABLE} | NO_DOOR_CAN == known
