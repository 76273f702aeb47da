"""The commands about routes: what they ask of the server, and how they show what it answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from lockstock.v1 import admin_pb2, catalog_pb2, errors_pb2, orders_pb2
from lockstock.v1 import routing_pb2 as pb
from lockstock_server.cli import app, route
from typer.testing import CliRunner

NEWEST = 41
"""What the server has made durable: what a list must have seen."""


@dataclass
class FakeRouting:
    """Keeps what it was asked, and answers what it was told to."""

    answer: Any = None
    asked: list[Any] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def _take(self, request: Any) -> Any:
        self.asked.append(request)
        return self.answer

    ExplainRoute = TryPolicy = GetRoutePlan = _take

    def GetServerInfo(self, _: admin_pb2.GetServerInfoRequest) -> admin_pb2.GetServerInfoResponse:  # noqa: N802
        return admin_pb2.GetServerInfoResponse(durable_sequence=NEWEST)

    @property
    def routing(self) -> FakeRouting:
        return self

    admin = routing


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeRouting:
    fake = FakeRouting()

    @contextmanager
    def connected(address: str, **_: bool) -> Iterator[FakeRouting]:
        fake.addresses.append(address)
        yield fake

    monkeypatch.setattr(route, "connected", connected)
    return fake


def run(*command: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    return result.exit_code, result.output


def words(output: str) -> list[list[str]]:
    """The cells of a table's rows."""
    return [
        [cell.strip() for cell in line.strip()[1:-1].replace("┃", "│").split("│")]
        for line in output.splitlines()
        if line.startswith(("│", "┃"))
    ]


EXPLAINED = pb.ExplainRouteResponse(
    sequence=7,
    granted=True,
    parcels=1,
    split_exact=True,
    candidates=[
        pb.RouteCandidate(
            warehouse="near",
            position=1,
            tier=catalog_pb2.TIER_FRONT,
            distance_km=1.25,
            verdict=pb.VERDICT_CHOSEN,
            skus=[pb.CandidateSku(sku="book", kept=True, available=30, given=2)],
        ),
        pb.RouteCandidate(
            warehouse="far", tier=catalog_pb2.TIER_CENTRAL, rank=3, verdict=pb.VERDICT_NOT_COVERING
        ),
    ],
)


def test_an_order_to_be_placed_is_explained(server: FakeRouting) -> None:
    server.answer = EXPLAINED
    code, output = run(
        "route", "explain", "--line", "book=2", "--line", "a=b=1", "--region", "sh", "--lat", "31.5", "--lon", "121",
        "--max-parcels", "2", "--allow-partial",
    )  # fmt: skip
    assert code == 0, output
    asked = pb.ExplainRouteRequest()
    asked.demand.destination.CopyFrom(
        orders_pb2.Destination(region="sh", coordinates=catalog_pb2.Coordinates(latitude=31.5, longitude=121))
    )
    asked.demand.split.max_parcels, asked.demand.split.allow_partial = 2, True
    for sku, units in (("book", 2), ("a=b", 1)):
        asked.demand.lines.add(sku=sku, quantity=units)
    assert server.asked == [asked]
    assert "would be granted: 1 parcel" in output
    head, first, second = words(output)
    assert dict(zip(head, first, strict=True)) == {
        "plan": "1",
        "warehouse": "near",
        "tier": "FRONT",
        "rank": "0",
        "km": "1.2",
        "verdict": "CHOSEN",
        "gives": "book 2",
        "has": "book 30",
    }
    assert second[:2] == ["", "far"]


def test_a_past_order_is_explained_by_its_id_and_a_disagreement_is_said(server: FakeRouting) -> None:
    server.answer = pb.ExplainRouteResponse(
        sequence=6, granted=True, parcels=2, reason=errors_pb2.REASON_INSUFFICIENT_STOCK
    )
    code, output = run("route", "explain", "--order", "order-1", "--server", "there:1")
    assert (code, server.addresses) == (0, ["there:1"])
    assert server.asked == [pb.ExplainRouteRequest(order_id="order-1")]
    assert "granted: 2 parcels; found greedily, fewer may do; decided again it would be" in output


def test_a_refused_order_says_why(server: FakeRouting) -> None:
    server.answer = pb.ExplainRouteResponse(reason=errors_pb2.REASON_PARCEL_LIMIT, parcels=2)
    assert "refused: PARCEL_LIMIT, it would take 2 parcels" in run("route", "explain", "--line", "a=1")[1]


@pytest.mark.parametrize(
    "command",
    [
        ("route", "explain"),
        ("route", "explain", "--order", "a", "--line", "b=1"),
        ("route", "explain", "--line", "book"),
        ("route", "explain", "--line", "book=many"),
        ("route", "explain", "--line", "book=1", "--lat", "3"),
        ("route", "try", "--tier", "W=SOMEWHERE"),
        ("route", "try", "--orders", "10001"),
    ],
)
def test_a_command_that_makes_no_sense_is_not_sent(server: FakeRouting, command: tuple[str, ...]) -> None:
    assert run(*command)[0] == 2
    assert server.asked == []


def test_a_policy_is_tried(server: FakeRouting) -> None:
    server.answer = pb.TryPolicyResponse(
        orders=2,
        as_of_sequence=9,
        before=pb.RoutingTotals(
            parcels=3, warehouses=[pb.WarehouseUse(warehouse="a", parcels=3, units=1_500)]
        ),
        after=pb.RoutingTotals(refused_orders=1, refused_lines=2, refused_units=4),
        changes=[
            pb.RoutingChange(order_id="one", before=["a"], after=["b", "c"]),
            pb.RoutingChange(order_id="two", before=["a"], reason=errors_pb2.REASON_NOT_ROUTABLE),
        ],
    )
    code, output = run(
        "route", "try", "--max-parcels", "0", "--exclude", "a", "--rank", "b=2", "--tier", "c=front",
        "--channel", "web", "--from", "2026-11-01", "--before", "2026-11-02T03:00:00", "--orders", "50",
    )  # fmt: skip
    assert code == 0, output
    (asked,) = server.asked
    assert asked.min_sequence == NEWEST
    assert asked.policy.HasField("max_parcels")
    assert list(asked.policy.excluded_warehouses) == ["a"]
    assert dict(asked.policy.ranks) == {"b": 2}
    assert dict(asked.policy.tiers) == {"c": catalog_pb2.TIER_FRONT}
    assert (asked.channel, asked.orders_max) == ("web", 50)
    assert asked.created_from.ToJsonString() == "2026-11-01T00:00:00Z"
    assert asked.created_before.ToJsonString() == "2026-11-02T03:00:00Z"
    rows = words(output)
    assert ["as it was", "3", "0", "0", "0"] in rows
    assert ["under the policy", "0", "1", "2", "4"] in rows
    assert ["a", "3", "1,500"] in rows
    assert ["one", "a", "b, c"] in rows
    assert ["two", "a", "NOT_ROUTABLE"] in rows


def test_a_policy_of_nothing_routes_again_as_each_order_was(server: FakeRouting) -> None:
    server.answer = pb.TryPolicyResponse()
    assert run("route", "try")[0] == 0
    assert not server.asked[0].policy.HasField("max_parcels")


def test_a_plan_is_shown(server: FakeRouting) -> None:
    entry = pb.RoutePlanEntry(
        warehouse="near", tier=catalog_pb2.TIER_CITY, state=catalog_pb2.WAREHOUSE_STATE_PAUSED
    )
    server.answer = pb.GetRoutePlanResponse(version=4, entries=[entry])
    code, output = run("plan", "show", "--region", "sh", "--sku", "book")
    assert code == 0, output
    assert server.asked == [
        pb.GetRoutePlanRequest(destination=orders_pb2.Destination(region="sh"), sku="book")
    ]
    assert "installed at sequence 4" in output
    assert words(output)[1][:3] == ["1", "near", "CITY"]
    assert words(output)[1][-1] == "PAUSED"
    server.answer = pb.GetRoutePlanResponse(entries=[entry])
    assert "made for this buyer" in run("plan", "show", "--pickup", "near")[1]


def test_every_answer_can_be_had_as_json(server: FakeRouting) -> None:
    for command, answer in [
        (("route", "explain", "--order", "a"), EXPLAINED),
        (("route", "try"), pb.TryPolicyResponse(orders=3)),
        (("plan", "show", "--region", "sh"), pb.GetRoutePlanResponse(version=2)),
    ]:
        server.answer = answer
        code, output = run(*command, "--json")
        assert code == 0
        assert json.loads(output)
