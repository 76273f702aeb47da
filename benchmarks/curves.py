"""How figures move: against callers, batch size, SKUs, open reservations, warehouses a plan, lines an order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cases
from harness.load import Duration, Outcome, Shape, Target, load
from peers import Peer

Scratch = Callable[[], AbstractContextManager[Path]]
Say = Callable[[str], None]
DURATION = Duration(seconds=2.0, warm_up_seconds=0.5)
HOT = Shape("unary", in_flight=50)
OPEN = (0, 1_000_000, 2_000_000, 5_000_000)
FILL = Shape("batch", batch=4_000, in_flight=2)


def run(scratch: Scratch, say: Say) -> list[dict[str, Any]]:
    """Every curve: a title, what runs along, and the points of each line."""
    return [
        _callers(scratch, say),
        _batches(scratch, say),
        _skus(scratch, say),
        _open_reservations(scratch, say),
        _warehouses(scratch, say),
        _lines(scratch, say),
    ]


def _curve(key: str, title: str, x: str, points: dict[str, list[tuple[float, Outcome]]]) -> dict[str, Any]:
    return {"key": key, "title": title, "x": x, "lines": points}


def _on_one_server(
    scratch: Scratch, peer: Peer, shapes: Sequence[tuple[float, Shape]], skus: int = 1
) -> Iterator[tuple[float, list[Outcome]]]:
    with scratch() as directory, peer.running(directory, skus) as target:
        for x, shape in shapes:
            yield x, load(target, shape, DURATION)


def _callers(scratch: Scratch, say: Say) -> dict[str, Any]:
    points: dict[str, list[tuple[float, Outcome]]] = {}
    callers = (1, 2, 5, 10, 20, 50, 100, 200)
    unary = [(float(count), Shape("unary", in_flight=count)) for count in callers]
    redis = [(float(count), Shape("redis", connections=count)) for count in callers]
    for peer, shapes in ((cases.OURS, unary), (cases.REDIS, redis), (cases.TONIC, unary)):
        if peer.missing():
            continue
        say(f"curve: {peer.name} against callers")
        points[peer.name] = [(x, outcomes[0]) for x, outcomes in _on_one_server(scratch, peer, shapes)]
    return _curve("callers", "One lock a call, hot SKU", "callers", points)


def _batches(scratch: Scratch, say: Say) -> dict[str, Any]:
    say("curve: batch size")
    shapes = [
        (float(size), Shape("batch", batch=size, work=cases.BOTH)) for size in (1, 10, 100, 1_000, 8_190)
    ]
    points: dict[str, list[tuple[float, Outcome]]] = {"ours: lock": [], "ours: deduct": []}
    for x, outcomes in _on_one_server(scratch, cases.OURS, shapes):
        for line, outcome in zip(points.values(), outcomes, strict=True):
            line.append((x, outcome))
    return _curve("batches", "One client, one batch in flight", "commands a batch", points)


def _skus(scratch: Scratch, say: Say) -> dict[str, Any]:
    line = []
    for skus in (1, 100, 10_000, 1_000_000):
        say(f"curve: {skus:,} SKUs")
        with scratch() as directory, cases.OURS.running(directory, skus) as target:
            line.append((float(skus), load(target, replace(HOT, skus=skus), DURATION)[0]))
    return _curve("skus", "Unary locks scattered over SKUs, 50 in flight", "SKUs", {"ours": line})


def _open_reservations(scratch: Scratch, say: Say) -> dict[str, Any]:
    line: list[tuple[float, Outcome]] = []
    with scratch() as directory, cases.OURS.running(directory, 1) as target:
        there = 0
        for wanted in OPEN:
            say(f"curve: {wanted:,} open reservations")
            if wanted > there:
                there += fill(target, wanted - there)
            outcome = load(target, HOT, DURATION)[0]
            line.append((float(wanted), outcome))
            there += outcome["commands_in_all"]
    return _curve("open", "Unary locks beside open reservations", "open reservations", {"ours": line})


def fill(target: Target, reservations: int) -> int:
    """Locks so many, by batches; how many it were."""
    return int(load(target, FILL, commands=reservations)[0]["commands_in_all"])


def _warehouses(scratch: Scratch, say: Say) -> dict[str, Any]:
    line = []
    for warehouses in (1, 5, 20, 50):
        say(f"curve: {warehouses} warehouses a plan")
        peer = replace(cases.OURS, warehouses=warehouses)
        with scratch() as directory, peer.running(directory, 100) as target:
            line.append((float(warehouses), load(target, replace(HOT, skus=100), DURATION)[0]))
    return _curve(
        "warehouses", "Stock in the last warehouse of the plan", "warehouses a plan", {"ours": line}
    )


def _lines(scratch: Scratch, say: Say) -> dict[str, Any]:
    say("curve: lines an order")
    shapes = [(float(lines), replace(HOT, lines=lines, skus=1_000)) for lines in (1, 3, 10, 30, 100)]
    points = [(x, outcomes[0]) for x, outcomes in _on_one_server(scratch, cases.OURS, shapes, skus=1_000)]
    return _curve("lines", "Orders of several lines over 1,000 SKUs", "lines an order", {"ours": points})
