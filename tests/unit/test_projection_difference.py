"""Walking through two lists of rows that should be one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lockstock_server.projection import schema
from lockstock_server.projection.difference import Differences, parse_rows

Rows = dict[str, str]

TABLES = st.dictionaries(st.sampled_from(["a", "B", "\u00e4", "z", "\U0001f4e6"]), st.sampled_from("xy"))


def compared(have: Rows, want: Rows) -> Differences:
    differences = Differences(schema.warehouses)
    differences.merge(iter(sorted(have.items())), iter(sorted(want.items())))
    return differences


@given(TABLES, TABLES)
def test_each_row_is_equal_or_named(have: Rows, want: Rows) -> None:
    differences = compared(have, want)
    equal = {key for key in have.keys() & want.keys() if have[key] == want[key]}
    assert differences.equal == len(equal)
    wrong = sorted((have.keys() | want.keys()) - equal)
    assert len(differences.sentences()) == len(wrong)
    for key, sentence in zip(wrong, differences.sentences(), strict=True):
        assert sentence.startswith(f"warehouses (warehouse {key!r}): ")


def test_the_sentences_say_what_differs() -> None:
    have = {"changed": "ACTIVE", "extra": "ACTIVE"}
    want = {"changed": "PAUSED", "lacking": "CLOSED"}
    assert compared(have, want).sentences() == [
        "warehouses (warehouse 'changed'): state is 'ACTIVE' in the database, 'PAUSED' by the journal",
        "warehouses (warehouse 'extra'): stands in the database, and the journal does not know it",
        "warehouses (warehouse 'lacking'): is missing in the database",
    ]


def test_many_differences_are_counted_and_not_all_listed() -> None:
    sentences = compared({}, {f"w{n:04}": "ACTIVE" for n in range(1_020)}).sentences()
    assert len(sentences) == 21
    assert sentences[-1] == "warehouses: 1,000 more rows differ"


def test_rows_are_read_one_after_the_other() -> None:
    assert list(parse_rows(b"[]")) == []
    assert list(parse_rows(b'[\n["a,",1],\n["]",null]\n]')) == [["a,", 1], ["]", None]]
