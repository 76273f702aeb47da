"""The harness of the benchmarks: its arithmetic, its charts, its page. No figure is asserted."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from typing import Any

import cases
import pytest
import reasons
import tail
from harness import figures, machine, page, results, svg
from harness.figures import Bound, Figure
from harness.load import Shape

SVG = "{http://www.w3.org/2000/svg}"


def phase(work: str, rate: float, cpu: float, p50: float = 100.0) -> dict[str, Any]:
    latency = {"p50": p50, "p99": 2 * p50, "p999": 3 * p50}
    return {"work": work, "rate": rate, "server_cpu_us": cpu, "load_cpu_us": 1.0, "latency_us": latency}


def a_run(turns: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "mode": "quick",
        "began": "2026-01-01T00:00:00+00:00",
        "commit": "abc",
        "minutes": 3.0,
        "busy": 0.01,
        "machine": {"processor": "one"},
        "versions": {"ours": "Lockstock"},
        "acknowledgements": {"ours": "Synced."},
        "missing": {"Redis always": "redis-server is not installed"},
        "turns": turns,
        "failed": {},
        "skipped": {"redis": "redis-server is not installed"},
        **more,
    }


def test_a_figure_is_the_median_with_the_least_and_the_most() -> None:
    assert Figure.of([30.0, 10.0, 20.0]) == Figure(20.0, 10.0, 30.0, 3)
    assert figures.words(Figure.of([30_000.0, 10_000.0, 20_000.0])) == "20,000 (10,000 to 30,000)"
    assert figures.words(Figure.of([1.5])) == "1.5"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1_234_567, "1,230,000"),
        (123.4, "123"),
        (12.34, "12.3"),
        (0.01234, "0.0123"),
        (999.6, "1,000"),
        (math.inf, "∞"),
    ],
)
def test_numbers_have_the_three_digits_that_count(value: float, text: str) -> None:
    assert figures.number(value) == text


def test_a_bound_says_by_how_much_it_is_missed() -> None:
    assert Bound(2.0).holds(2.0)
    assert Bound(2.0).missed_by(1.5) == 0.25
    assert Bound(2.0, at_most=True).missed_by(3.0) == 0.5
    assert Bound(2.0, at_most=True).missed_by(1.0) == 0.0
    assert Bound(1_200_000).words(" bytes") == "at least 1,200,000 bytes"
    assert Bound(1.25, at_most=True).words("x") == "at most 1.25x"


def test_a_ratio_is_of_medians_and_less_is_theirs_over_ours() -> None:
    turns = {
        "ours": [[phase("lock", 100, 5)], [phase("lock", 300, 7)], [phase("lock", 200, 6)]],
        "redis": [[phase("lock", 50, 30)], [phase("lock", 100, 18)], [phase("lock", 400, 12)]],
    }
    rate, less_cpu = (results.measured(turns, yardstick) for yardstick in cases.YARDSTICKS[:2])
    assert (rate.value, rate.holds) == (2.0, True)
    assert (less_cpu.value, less_cpu.holds) == (3.0, True)


def test_what_was_not_measured_has_neither_a_ratio_nor_a_verdict() -> None:
    one = results.measured({"ours": [[phase("lock", 100, 5)]]}, cases.YARDSTICKS[0])
    assert one.value is None
    assert one.holds is None


def test_one_caller_is_measured_against_the_sync_and_the_echo_together() -> None:
    turns = {
        "ours-1": [[phase("lock", 1, 1, p50=300.0)]],
        "floor-sync": [[phase("fdatasync", 1, 1, p50=200.0)]],
        "echo-1": [[phase("lock", 1, 1, p50=50.0)]],
    }
    yardstick = next(one for one in cases.YARDSTICKS if one.work.startswith("one caller"))
    assert results.measured(turns, yardstick).value == pytest.approx(1.2)


def test_every_yardstick_names_cases_and_phases_that_are_run() -> None:
    keys = {case.key for case in cases.CASES}
    for yardstick in cases.YARDSTICKS:
        assert {case for case, _ in (yardstick.ours, *yardstick.theirs)} <= keys
    assert len(keys) == len(cases.CASES)


def test_a_page_without_a_run_has_no_figures() -> None:
    text = page.render({})
    assert "No figures yet" in text
    assert "## Against" not in text


def test_a_page_says_what_was_skipped_and_why() -> None:
    text = page.render({"quick": a_run({"ours": [[phase("lock", 100, 5), phase("deduct", 90, 4)]]})})
    assert "missing: redis-server is not installed" in text
    assert "| ours | unary, 1 connection x 50 in flight | deduct | 90 |" in text
    assert "No figures yet" not in text


def test_a_missed_yardstick_stands_among_the_losses() -> None:
    turns = {"ours": [[phase("lock", 100, 5)]], "redis": [[phase("lock", 100, 5)]]}
    text = page.render({"quick": a_run(turns, skipped={})})
    assert "at least 1.8 wanted, 44% off" in text


def test_what_is_missed_says_why_and_where_its_profile_is() -> None:
    yardstick = next(one for one in cases.YARDSTICKS if one.why and not one.theirs)
    case, work = yardstick.ours
    missed = page.render({"quick": a_run({case: [[phase(work, 1, 1)]]})})
    reached = page.render({"quick": a_run({case: [[phase(work, 10**9, 1)]]})})
    assert f"100% off. {yardstick.why}" in missed
    assert "(performance.md)" in missed
    assert yardstick.why not in reached


@pytest.mark.parametrize(("verdict", "said"), [("missed by 31%", 1), ("reached", 0)])
def test_a_long_part_says_once_why_what_it_misses_is_missed(
    monkeypatch: pytest.MonkeyPatch, verdict: str, said: int
) -> None:
    facts = [["its replay", f"{number} a second", "", verdict] for number in (1, 2)]
    part: dict[str, Any] = {"key": "recovery", "title": "Recovery", "words": "Killed.", "facts": facts}
    part |= {"began": "then", "minutes": 1.0, "commit": "abc", "setting": "one; Lockstock"}
    monkeypatch.setattr(reasons, "WHY", {("recovery", "its replay"): "One core applies."})
    text = page.render({"long": a_run({}, parts=[part])})
    assert text.count("- its replay: One core applies.") == said


@pytest.mark.parametrize(("another", "tables"), [({}, 1), ({"machine": {"processor": "two"}}, 2)])
def test_a_long_run_names_its_machine_where_it_is_another(another: dict[str, Any], tables: int) -> None:
    text = page.render({"quick": a_run({}), "long": a_run({}, parts=[], **another)})
    assert text.count("| processor |") == tables
    assert ("On the machine above" in text) == (tables == 1)


@pytest.mark.parametrize(("measured_on", "said"), [("one; Lockstock", 0), ("two; Lockstock", 1)])
def test_a_long_part_that_was_kept_from_another_machine_says_so(measured_on: str, said: int) -> None:
    part: dict[str, Any] = {"key": "tail", "title": "The tail", "words": "Open loop.", "facts": []}
    part |= {"began": "then", "minutes": 1.0, "commit": "abc", "setting": measured_on}
    text = page.render({"long": a_run({}, parts=[part])})
    assert text.count("on another machine or build: two; Lockstock") == said


def test_the_tail_plans_no_more_than_memory_holds() -> None:
    assert tail.planned(10_000.0, 24 << 30) == 10_000.0
    assert tail.planned(70_000.0, 78 * 10**8) == 10_000.0


def test_what_the_host_takes_is_a_share_of_all_time(monkeypatch: pytest.MonkeyPatch) -> None:
    later = [60, 0, 20, 10, 0, 0, 0, 10]
    monkeypatch.setattr(machine, "ticks", lambda: later)
    assert machine.taken_by_the_host([0] * len(later)) == pytest.approx(0.1)
    assert machine.taken_by_the_host(later) == 0.0


def test_ticks_are_round_and_reach_the_most() -> None:
    assert svg.ticks(97) == [0, 20, 40, 60, 80, 100]
    assert svg.ticks(1_000_000) == [0, 200_000, 400_000, 600_000, 800_000, 1_000_000]
    assert svg.ticks(0) == [0, 1]
    assert svg.short(1_500_000) == "1.5M"


def test_a_line_chart_draws_every_point_within_its_frame() -> None:
    lines = [svg.Line("ours", [(0, 5.0), (1, 10.0), (1_000, 2.0)]), svg.Line("a < b", [(1, 1.0)])]
    tree = ET.fromstring(svg.line_chart("Title & more", "x", "y", lines))  # noqa: S314 - our own text
    points = [
        tuple(float(part) for part in point.split(","))
        for polyline in tree.iter(f"{SVG}polyline")
        for point in polyline.attrib["points"].split()
    ]
    assert len(points) == 4
    assert all(svg.LEFT <= x <= svg.WIDTH and svg.TOP <= y <= svg.HEIGHT - svg.BOTTOM for x, y in points)
    assert points[0][0] < points[1][0] < points[2][0]
    assert any(text.text == "a < b" for text in tree.iter(f"{SVG}text"))


def test_bars_are_as_long_as_their_values() -> None:
    tree = ET.fromstring(svg.bar_chart("t", "/s", [("ours", 100.0), ("theirs", 25.0)]))  # noqa: S314 - our own text
    widths = [float(bar.attrib["width"]) for bar in list(tree.iter(f"{SVG}rect"))[1:]]
    assert widths[0] == pytest.approx(4 * widths[1], abs=0.5)


def test_a_load_is_said_in_words() -> None:
    assert Shape("stream", streams=16, in_flight=16).words() == "16 streams, 1 connection x 16 in flight"
    assert Shape("redis", connections=50, batch=100).words().startswith("pipeline of 100, 50 connections")


def test_what_slow_syncs_took_together_is_counted_from_the_bounds_they_passed() -> None:
    syncs = [(0.001, 90.0), (0.005, 97.0), (0.01, 99.0), (0.025, 100.0), (math.inf, 100.0)]
    assert tail.slowest(syncs) == 0.025
    count, seconds = tail.longer(syncs, 0.005)
    assert (count, round(seconds, 9)) == (3.0, 0.02)
    assert tail.longer(syncs, 0.025) == (0.0, 0.0)
