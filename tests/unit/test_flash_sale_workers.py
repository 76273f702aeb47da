"""What a worker of the flash sale sends home."""

from __future__ import annotations

import pytest
from lockstock_server.flash_sale.judge import Entry, Verb
from lockstock_server.flash_sale.workers import ENTRIES_A_REPORT, Report, Reporter


@pytest.mark.parametrize("count", [0, 1, ENTRIES_A_REPORT - 1, ENTRIES_A_REPORT, 2 * ENTRIES_A_REPORT])
def test_a_worker_sends_every_entry_in_order_and_one_end_mark_after_them(count: int) -> None:
    # Full reports alone once ended with an empty list, which was the end mark too: it counted for another
    # worker, whose last answers were then missing from the verdict.
    sent: list[Report] = []
    reporter = Reporter(sent.append)
    entries = [Entry(buyer, Verb.LOCKED, buyer, 0.1) for buyer in range(count)]
    for entry in entries:
        reporter.note(entry)
    reporter.end()
    assert [index for index, report in enumerate(sent) if report is None] == [len(sent) - 1]
    assert [entry for report in sent if report is not None for entry in report] == entries
