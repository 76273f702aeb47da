"""A small flash sale, end to end, with its `kill -9`."""

from __future__ import annotations

import json
import subprocess
import sys


def test_a_sale_with_a_kill_in_the_middle_sells_every_unit_once_and_loses_nothing() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "lockstock_server.cli", "flash-sale", "--json"),
            *("--buyers", "3000", "--units", "600", "--connections", "8", "--seed", "5"),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    result = json.loads(done.stdout)
    verdict = result["verdict"]
    assert (verdict["sold"], verdict["oversold"], verdict["lost"], verdict["faults"]) == (600, 0, 0, [])
    assert verdict["counts"]["REFUSED"] > 0
    assert result["restart_seconds"] > 0, "the server was killed and came back"
