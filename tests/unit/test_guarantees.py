"""The pages of guarantees and threats name tests and settings that exist; every promise has tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lockstock_server.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
THREATS = (ROOT / "docs" / "threat_model.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/.-]+\.(?:py|rs))::(\w+)`", PAGE + THREATS)))
PROMISES = re.split(r"^## (?=\d\. )", PAGE, flags=re.MULTILINE)[1:]


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_a_promise_names_exists(path: str, name: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    # Tables are made into tests by a macro that lists their names.
    assert re.search(rf"^\s*(?:async )?(?:fn|def) {name}\(|^    {name},$", text, re.MULTILINE)


def test_a_setting_that_the_threat_model_names_is_one() -> None:
    named = set(re.findall(r"`([a-z_]+_(?:max|address|bytes|deadline|retention))`", THREATS))
    assert named
    assert named <= Settings.model_fields.keys()


def test_every_promise_of_the_contract_has_tests_that_hold_it() -> None:
    assert [promise[0] for promise in PROMISES] == ["1", "2", "3", "4", "5"]
    for promise in PROMISES:
        assert "::" in promise.partition("\n## ")[0], promise.partition("\n")[0]


def test_no_row_of_a_promise_goes_without_a_test() -> None:
    rows = [
        line
        for promise in PROMISES
        for line in promise.partition("\n## ")[0].splitlines()
        if line.startswith("| ")
    ]
    assert [row for row in rows if "::" not in row and not re.match(r"\| (what|---)", row)] == []
