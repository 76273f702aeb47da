"""Real clients of several processes at both doors, at the same time: what they saw is one history."""

from __future__ import annotations

import os
from pathlib import Path

from support.linear_run import record_and_judge

SEED = int(os.environ.get("LOCKSTOCK_SEED", "1"))


def test_what_concurrent_clients_saw_at_both_doors_is_linearizable(tmp_path: Path) -> None:
    verdict = record_and_judge(tmp_path, seed=SEED, processes=2, threads=4, calls=250)
    assert verdict.faults == [], f"LOCKSTOCK_SEED={SEED}"
    # A history in which nothing happened proves nothing.
    assert verdict.writes > 300
    assert verdict.reads > 300
    assert verdict.refused > 100
    assert verdict.facts > 5_000


def test_what_clients_saw_across_a_kill_9_is_linearizable(tmp_path: Path) -> None:
    verdict = record_and_judge(tmp_path, seed=SEED, processes=2, threads=3, calls=150, kills=1)
    assert verdict.faults == [], f"LOCKSTOCK_SEED={SEED}"
    assert verdict.writes > 100
    assert verdict.facts > 1_500
