"""The page: everything on it comes from the result of a run, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cases
import reasons

from harness import svg
from harness.figures import Figure, number, words
from harness.results import Measured, cost_of_the_load, figure, measured, phases

PAGE = "benchmarks.md"
FOLDER = "benchmarks"
Result = Mapping[str, Any]

_INTRODUCTION = """\
<!-- Written by benchmarks/run.py; do not edit. -->
# Benchmarks

Ours and what a user would pick instead, on one machine and in one run, under the same loop.

    make tuned          # before, as for production: ours laid out by a profile of its work, the peers as they come
    make bench-quick    # about 3 minutes: every row once and shortly; prints, writes no page
    make bench          # about 20 minutes: every row three times, and the curves; writes this page
    make bench-long     # over an hour: tail, recovery, memory, growth, projection, long work; writes their part of it

It needs two cores, a disk, and a machine with nothing else to do: it looks, and a run on a busy machine prints its
figures and writes no page. The server has one core, the load the other. `lockstock-load` (core_rs/load) makes the
load: one thread, real gRPC (HTTP/2), Redis and PostgreSQL connections under the same loop, every answer checked; one
refusal fails the run. With a planned rate, latency counts from the planned time. Processor time is that of the whole
process (PostgreSQL: all its processes), as the system counts it. Redis comes from the system's package, PostgreSQL
from a Python package; what is missing is named, and its rows stay empty.

Left out, which favours the peers: their reservations have no deadline that anything sweeps, no route, no history and
no invariants that are checked. Left out, which favours ours: in all rows but one the projection's database is away,
so the server's core does not also write rows; that row, and `make bench-long`, say what it costs. Where ours says
*tuned build*, echoes and floors are release builds all the same, and the peers are as their packages have them.
"""
_PROFILES = "The profiles behind it, and what was tried, are in [performance.md](performance.md).\n"
_NO_FIGURES = "No figures yet: they come from a run on an idle machine, and there has been none.\n"


def render(results: Mapping[str, Result]) -> str:
    """The page over the results by mode (`full`, or `quick`; `long`)."""
    parts = [_INTRODUCTION]
    run = results.get("full") or results.get("quick")
    if run:
        parts += _run(run)
    if "long" in results:
        parts += _long(results["long"], run)
    return "\n".join(parts if len(parts) > 1 else [*parts, _NO_FIGURES]).rstrip("\n") + "\n"


def setting(result: Result) -> str:
    """The processor, and how ours was built: a part of the long run that is not run again keeps its own."""
    return f"{result['machine']['processor']}; {result['versions'][cases.OURS.name]}"


def keep(docs: Path, mode: str, result: Result) -> None:
    """Keeps a result where the page is made from; of parts that were not run again, what was kept before."""
    folder = docs / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{mode}.json"
    if "parts" in result and path.exists():
        parts = {part["key"]: part for part in json.loads(path.read_text())["parts"]}
        parts |= {part["key"]: part for part in result["parts"]}
        result = {**result, "parts": list(parts.values())}
    path.write_text(json.dumps(result, indent=1) + "\n")


def write(docs: Path) -> None:
    """Writes the page and its charts from the results that are kept."""
    folder = docs / FOLDER
    kept = {mode: folder / f"{mode}.json" for mode in ("full", "long")}
    results = {mode: json.loads(path.read_text()) for mode, path in kept.items() if path.exists()}
    for name, drawing in charts(results).items():
        (folder / name).write_text(drawing)
    (docs / PAGE).write_text(render(results))


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table; all columns but the first are figures or short words."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


# --- a run ---


def _run(result: Result) -> Iterator[str]:
    turns = result["turns"]
    all_measured = [measured(turns, yardstick) for yardstick in cases.YARDSTICKS]
    yield "## The machine and the peers\n"
    yield _machine(result)
    yield "## Against the yardsticks\n"
    yield "Ratios of medians. Where it says *less*, the ratio is theirs over ours.\n"
    yield table(
        ["work", "measure", "ours", "against", "theirs", "ratio", "wanted", ""],
        [_yardstick(one, result) for one in all_measured],
    )
    yield "## What we lose, and where we miss\n"
    yield _losses(all_measured, result)
    yield "## Every case\n"
    yield f"{_turns(turns)}\n"
    yield table(
        ["case", "load", "work", "a second", "server CPU, us", "p50, us", "p99, us", "p99.9, us"],
        [row for case in cases.CASES for row in _case(case, turns)],
    )
    if cost := cost_of_the_load(turns):
        yield f"The generator spends {cost:.0%} of the processor time that ours spends (50 unary calls in flight).\n"
    if result["mode"] != "quick":
        yield "## Curves\n"
        yield from _pictures(charts({"full": result}))


def _turns(turns: Mapping[str, list[Any]]) -> str:
    count = max((len(outcomes) for outcomes in turns.values()), default=0)
    return "One turn." if count == 1 else f"Medians of {count} turns, with the least and the most."


def _machine(result: Result) -> str:
    facts = [[name, value] for name, value in result["machine"].items()]
    facts += [
        ["run", f"{result['began']}, {result['minutes']:.0f} minutes, at {result['commit']}"],
        ["others at work", f"{result['busy']:.1%} of the machine just before the run"],
    ]
    peers = [
        [name, version, result["acknowledgements"][name]] for name, version in result["versions"].items()
    ]
    peers += [[name, f"missing: {why}", ""] for name, why in result["missing"].items()]
    return table(["", ""], facts) + "\n" + table(["", "version and settings", "when it answers"], peers)


def _yardstick(one: Measured, result: Result) -> list[str]:
    yardstick = one.yardstick
    measure = cases.MEASURES[yardstick.measure]
    if one.value is None:
        involved = [yardstick.ours[0], *(case for case, _ in yardstick.theirs)]
        not_run = {**result["skipped"], **result["failed"]}
        why = next((not_run[case] for case in involved if case in not_run), "not measured")
        return [yardstick.work, measure, "", one.against(), "", "", "", why]
    unit = "x" if yardstick.theirs else ""
    ratio = f"{number(one.value)}x{' less' if yardstick.inverse else ''}" if yardstick.theirs else ""
    theirs = " + ".join(words(each) for each in one.theirs if each)
    wanted = yardstick.bound.words(unit) if yardstick.bound else ""
    verdict = {True: "reached", False: "missed", None: ""}[one.holds]
    ours = words(one.ours) if one.ours else ""
    return [yardstick.work, measure, ours, one.against(), theirs, ratio, wanted, verdict]


def _losses(all_measured: list[Measured], result: Result) -> str:
    lines = []
    said: set[str] = set()
    for one in all_measured:
        bound = one.yardstick.bound
        if bound and one.value is not None and one.holds is False:
            what = f"{one.yardstick.work} ({cases.MEASURES[one.yardstick.measure]})"
            why = "As above." if one.yardstick.why in said else one.yardstick.why
            missed = f"{number(one.value)}, {bound.words()} wanted, {bound.missed_by(one.value):.0%} off."
            lines.append(f"- {what}: {missed} {why}".rstrip())
            said |= {one.yardstick.why} - {""}
    ours = figure(result["turns"], ("ours", "lock"), cases.RATE)
    with_rows = figure(result["turns"], ("ours-sqlite", "lock"), cases.RATE)
    if ours and with_rows:
        lines.append(
            f"- Projecting into SQLite on the server's own core: {number(with_rows.median)} locks a second"
            f" in place of {number(ours.median)}."
        )
    if not lines:
        return "Every yardstick that was measured is reached.\n"
    return "\n".join([*lines, "", _PROFILES])


def _case(case: cases.Case | cases.Floor, turns: Mapping[str, Any]) -> Iterator[list[str]]:
    for work in phases(turns, case.key):
        place = (case.key, work)
        cells = [_words(figure(turns, place, measure)) for measure in (cases.RATE, cases.CPU)]
        yield [
            case.name,
            case.words,
            work,
            *cells,
            *(_latency(turns, place, name) for name in ("p50", "p99", "p999")),
        ]


def _words(one: Figure | None) -> str:
    return words(one) if one else ""


def _latency(turns: Mapping[str, Any], place: cases.Place, name: str) -> str:
    values = [
        phase["latency_us"][name]
        for outcomes in turns[place[0]]
        for phase in outcomes
        if phase["work"] == place[1] and "latency_us" in phase
    ]
    return words(Figure.of(values)) if values else ""


# --- charts ---


def charts(results: Mapping[str, Result]) -> dict[str, str]:
    """Every chart by the name of its file."""
    drawn: dict[str, str] = {}
    full = results.get("full")
    if full:
        drawn |= _bars(full)
        for curve in full.get("curves", []):
            drawn |= _curve(curve)
    for part in results.get("long", {}).get("parts", []):
        if lines := part.get("lines"):
            drawn[f"{part['key']}.svg"] = svg.line_chart(part["title"], part["x"], part["y"], _lines(lines))
    return drawn


def _bars(full: Result) -> dict[str, str]:
    shown = (
        "ours",
        "redis",
        "redis-memory",
        "postgresql",
        "echo",
        "ours-streams",
        "redis-100",
        "ours-100",
        "ours-8190",
    )
    by_key = {case.key: case for case in cases.CASES}
    drawn = {}
    for name, title, measure, unit in (
        ("rates.svg", "Locks a second, one core", cases.RATE, "/s"),
        ("cpu.svg", "Server CPU a lock", cases.CPU, "us"),
    ):
        bars = [
            (f"{by_key[key].name}, {_short(by_key[key])}", found.median)
            for key in shown
            if (found := figure(full["turns"], (key, "lock"), measure))
        ]
        if bars:
            drawn[name] = svg.bar_chart(title, unit, bars)
    return drawn


def _short(case: cases.Case | cases.Floor) -> str:
    return case.words.partition(", ")[0]


def _curve(curve: Mapping[str, Any]) -> dict[str, str]:
    title, x = curve["title"], curve["x"]
    rate = {
        name: [(at, outcome["rate"]) for at, outcome in points] for name, points in curve["lines"].items()
    }
    cost = {
        name: [(at, outcome["server_cpu_us"]) for at, outcome in points]
        for name, points in curve["lines"].items()
    }
    latency = {
        f"{name} {quantile}": [(at, outcome["latency_us"][quantile] / 1e3) for at, outcome in points]
        for name, points in list(curve["lines"].items())[:2]
        for quantile in ("p50", "p99")
    }
    return {
        f"{curve['key']}-rate.svg": svg.line_chart(title, x, "commands a second", _lines(rate)),
        f"{curve['key']}-cpu.svg": svg.line_chart(title, x, "server CPU a command, us", _lines(cost)),
        f"{curve['key']}-latency.svg": svg.line_chart(title, x, "latency of a call, ms", _lines(latency)),
    }


def _lines(points: Mapping[str, Any]) -> list[svg.Line]:
    return [svg.Line(name, [(float(x), float(y)) for x, y in line]) for name, line in points.items()]


def _pictures(drawn: Mapping[str, str]) -> Iterator[str]:
    for name, drawing in drawn.items():
        title = drawing.partition("<title>")[2].partition("</title>")[0]
        yield f"![{title}]({FOLDER}/{name})\n"


# --- the long run ---


_SETTING = ("machine", "versions", "acknowledgements", "missing")


def _long(result: Result, run: Result | None) -> Iterator[str]:
    yield "## The long run\n"
    if run and all(run[what] == result[what] for what in _SETTING):
        yield "On the machine above, with the versions and settings above.\n"
    else:
        yield _machine(result)
    for part in result["parts"]:
        yield f"### {part['title']}\n"
        elsewhere = (
            "" if part["setting"] == setting(result) else f", on another machine or build: {part['setting']}"
        )
        when = f"Run {part['began']}, {part['minutes']:.0f} minutes, at {part['commit']}{elsewhere}."
        yield f"{part['words']} {when}\n"
        rows = [[name, value, wanted, verdict] for name, value, wanted, verdict in part["facts"]]
        yield table(["", "", "wanted", ""], rows)
        missed: dict[str, dict[str, None]] = {}
        for name, _, _, verdict in rows:
            if verdict.startswith("missed") and (why := reasons.why(part["key"], name)):
                missed.setdefault(why, {})[name] = None
        if missed:
            yield "\n".join(
                [*(f"- {', '.join(names)}: {why}" for why, names in missed.items()), "", _PROFILES]
            )
        if part.get("lines"):
            yield f"![{part['title']}]({FOLDER}/{part['key']}.svg)\n"
