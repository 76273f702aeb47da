"""The benchmark: ours and its peers in turn, on one machine, in one run. `make bench`, `bench-quick`, `bench-long`.

`train` is the load that `make tuned` takes its profile from.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cases
import curves
import long
import train
from harness import load, machine, page
from harness.results import Turns

DOCS = load.REPOSITORY / "docs"
SCRATCH = load.REPOSITORY / "build" / "bench"
NOT_IMPLEMENTED = "status 12:"
QUICK = load.Duration(seconds=1.2, warm_up_seconds=0.3)
FULL = load.Duration(seconds=3.0, warm_up_seconds=0.7)
TURNS = 3


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty directory on the disk that is measured; PostgreSQL, run by root, is another user and must reach it."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=SCRATCH))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def build() -> None:
    """Builds the generator, with optimisations; the extension is built by `make`."""
    manifest = load.REPOSITORY / "core_rs" / "Cargo.toml"
    command = [
        "cargo",
        "build",
        "--quiet",
        "--release",
        "--manifest-path",
        str(manifest),
        "-p",
        "lockstock-load",
    ]
    subprocess.run(command, check=True)
    if load.ask("about")["profile"] != "release":
        raise load.BenchmarkError("The load generator is a debug build: it would measure itself.")


class Turn:
    """What the cases came to so far; why some did not run, and why some failed."""

    def __init__(self) -> None:
        self.turns: Turns = {}
        self.skipped: dict[str, str] = {}
        self.failed: dict[str, str] = {}

    def take(self, case: cases.Case | cases.Floor, duration: load.Duration) -> None:
        """Runs a case once more. One that fails has no figure at all: none is made of errors."""
        if case.key in self.skipped or case.key in self.failed:
            return
        title = f"{case.name}, {case.words}"
        if words := case.missing():
            self.skipped[case.key] = words
            say(f"skipped: {title}: {words}")
            return
        try:
            with scratch() as directory:
                outcomes = case.run(directory, duration)
        except load.BenchmarkError as error:
            missing = NOT_IMPLEMENTED in str(error)
            why = "this server does not have the method yet" if missing else str(error)
            (self.skipped if missing else self.failed)[case.key] = why
            self.turns.pop(case.key, None)
            say(f"{'skipped' if missing else 'FAILED'}: {title}: {why}")
            return
        self.turns.setdefault(case.key, []).append(outcomes)
        rates = ", ".join(f"{outcome['work']} {outcome['rate']:,.0f}/s" for outcome in outcomes)
        say(f"{title}: {rates}")


def take_turns(count: int, duration: load.Duration, only: list[str]) -> dict[str, Any]:
    """Every case, then every case again: ours and the peers in turn, so that what drifts drifts for all."""
    chosen = [case for case in cases.CASES if not only or case.key in only]
    if len(chosen) < len(only):
        known = ", ".join(case.key for case in cases.CASES)
        raise load.BenchmarkError(f"Not all of these are cases: {', '.join(only)}. There are {known}.")
    turn = Turn()
    for number in range(1, count + 1):
        say(f"turn {number} of {count}")
        for case in chosen:
            turn.take(case, duration)
    return {"turns": turn.turns, "skipped": turn.skipped, "failed": turn.failed}


def say(words: str) -> None:
    """To whoever watches; the page goes to standard output or to the docs."""
    print(words, file=sys.stderr, flush=True)


def head(mode: str, busy: float) -> dict[str, Any]:
    """What every result begins with."""
    there = [peer for peer in cases.ALL if not peer.missing()]
    commit = subprocess.run(
        ["git", "-C", str(load.REPOSITORY), "describe", "--always", "--dirty"],
        check=False,
        capture_output=True,
        text=True,
    )
    return {
        "mode": mode,
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "machine": machine.describe(SCRATCH),
        "busy": busy,
        "versions": {peer.name: peer.version() for peer in there},
        "acknowledgements": {peer.name: peer.acknowledgement for peer in there},
        "missing": {peer.name: peer.missing() for peer in cases.ALL if peer.missing()},
    }


def run(mode: str, busy: float, only: list[str], *, with_curves: bool) -> dict[str, Any]:
    """The whole run; everything that the page is made of."""
    began = time.monotonic()
    result = head(mode, busy)
    if mode == "long":
        when = {"began": result["began"], "commit": result["commit"], "setting": page.setting(result)}
        result["parts"] = [{**part, **when} for part in long.run(scratch, say, only)]
    else:
        duration = QUICK if mode == "quick" else FULL
        result["duration"] = {"seconds": duration.seconds, "warm_up_seconds": duration.warm_up_seconds}
        result |= take_turns(1 if mode == "quick" else TURNS, duration, only)
        if mode == "full" and not only and with_curves:
            result["curves"] = curves.run(scratch, say)
    result["minutes"] = (time.monotonic() - began) / 60
    return result


def main() -> None:
    """One word: how long there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", nargs="?", choices=["quick", "full", "long", "page", "train"], default="full")
    parser.add_argument(
        "--even-if-busy", action="store_true", help="write the page although the machine is not idle"
    )
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        help="only these cases; of `long` only these parts, the page keeps its others",
    )
    parser.add_argument("--without-curves", action="store_true", help="of `full`: the rows alone")
    given = parser.parse_args()
    if given.mode == "page":
        page.write(DOCS)
        return
    SCRATCH.mkdir(parents=True, exist_ok=True)
    try:
        machine.check(SCRATCH)
        build()
        if given.mode == "train":
            train.run(scratch, say)
            return
        busy = machine.busy()
        idle = busy <= machine.BUSY_MAX
        if not idle:
            say(
                f"This machine is not idle: others use {busy:.0%} of it. The figures are for trying out only."
            )
        result = run(given.mode, busy, given.only, with_curves=not given.without_curves)
    except load.BenchmarkError as error:
        say(str(error))
        sys.exit(1)
    (SCRATCH / f"{given.mode}.json").write_text(json.dumps(result, indent=1) + "\n")
    failed = result.get("failed", {})
    some = given.only and given.mode != "long"
    if given.mode == "quick" or some or failed or not (idle or given.even_if_busy):
        print(page.render({given.mode: result}))
        sys.exit(1 if failed else 0)
    page.keep(DOCS, given.mode, result)
    page.write(DOCS)
    say(f"docs/{page.PAGE} has the figures.")


if __name__ == "__main__":
    main()
