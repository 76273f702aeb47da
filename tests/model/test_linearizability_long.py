"""Histories of concurrent clients at both doors, with kills in between, for as long as wanted: `make test-long`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.linear_run import record_and_judge

HISTORIES = int(os.environ.get("LOCKSTOCK_HISTORIES", "20"))
SEED = int(os.environ.get("LOCKSTOCK_SEED", "1"))


@pytest.mark.long
@pytest.mark.timeout(36_000)
def test_many_histories_with_kills_in_between_are_linearizable(tmp_path: Path) -> None:
    facts = writes = 0
    for seed in range(SEED, SEED + HISTORIES):
        place = tmp_path / str(seed)
        place.mkdir()
        verdict = record_and_judge(place, seed=seed, processes=3, threads=4, calls=400, kills=seed % 4)
        assert verdict.faults == [], f"again with LOCKSTOCK_SEED={seed} LOCKSTOCK_HISTORIES=1"
        facts += verdict.facts
        writes += verdict.writes
    print(f"{HISTORIES} histories, {writes:,} writes, {facts:,} facts")  # noqa: T201 - for the page of guarantees
    assert writes > 500 * HISTORIES
