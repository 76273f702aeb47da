"""The list of planted bugs cannot rot: each still applies to the tree, and the tests named for it exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from planted.bugs import ROOT, Bug, CargoTest, PlantedError, Pytest, load, read
from planted.run import catch, chosen, sound
from planted.tree import Outcome, Tree

BUGS = load()
ONE = 'broken = "It is."\nfile = "core_rs/stock/src/it.rs"\nfind = "a < b"\nreplace = "a <= b"\n'
CAUGHT = 'cargo = ["lockstock-stock pains pain_01_of_it"]\n'


def test_there_are_enough_of_them_in_every_room() -> None:
    rooms = Counter(bug.room for bug in BUGS)
    assert len(BUGS) >= 24
    assert (
        min(rooms[room] for room in ("state machine", "journal", "engine", "wire", "projection", "server"))
        >= 3
    )


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_applies_to_the_tree_and_names_tests_that_exist(bug: Bug) -> None:
    assert bug.planted(ROOT) != (ROOT / bug.file).read_text()
    assert [test.command for test in bug.caught_by if not test.exists(ROOT)] == []
    assert bug.broken.endswith(".")


def test_no_two_planted_bugs_are_the_same() -> None:
    assert [
        bug for bug, count in Counter((it.file, it.find, it.replace) for it in BUGS).items() if count > 1
    ] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ONE, "no test is named"),
        (ONE + 'pytest = ["tests/unit/test_it.py"]\n', "is not a file of tests and a test"),
        (ONE + 'cargo = ["lockstock-stock pains"]\n', "is not a package, a target and a test"),
        (ONE + CAUGHT + 'why = "?"\n', "why is no part of a bug"),
        (ONE.replace("find", "seek") + CAUGHT, "seek is no part"),
        (ONE.replace('find = "a < b"\n', "") + CAUGHT, "find is missing"),
        (ONE.replace("core_rs/stock", "docs") + CAUGHT, "is in no room"),
    ],
)
def test_a_bug_that_is_not_whole_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "it.toml"
    path.write_text(text)
    with pytest.raises(PlantedError, match=words):
        read(path)


@pytest.mark.parametrize(
    ("source", "words"),
    [(None, "is not there"), ("if b > a", "stands 0 times"), ("if a < b && a < b", "stands 2 times")],
)
def test_a_bug_that_does_not_apply_says_why(tmp_path: Path, source: str | None, words: str) -> None:
    (tmp_path / "it.toml").write_text(ONE + CAUGHT)
    bug = read(tmp_path / "it.toml")
    if source is not None:
        (tmp_path / bug.file).parent.mkdir(parents=True)
        (tmp_path / bug.file).write_text(source)
    with pytest.raises(PlantedError, match=words):
        bug.planted(tmp_path)


def test_a_test_that_is_gone_is_noticed() -> None:
    assert CargoTest("lockstock-stock", "tables", "deadlines").exists(ROOT)
    assert not CargoTest("lockstock-stock", "tables", "no_such_table").exists(ROOT)
    assert not CargoTest("lockstock-stock", "no_such_target", "deadlines").exists(ROOT)
    assert not CargoTest("lockstock-engine", "lib", "tests::no_such_test").exists(ROOT)
    assert not Pytest("tests/unit/test_planted.py", "test_of_nothing").exists(ROOT)
    assert not Pytest("tests/unit/test_gone.py", "test_of_nothing").exists(ROOT)


class FakeTree(Tree):
    """A copy in which tests end as they are told to, and which remembers what was planted."""

    def __init__(self, *outcomes: Outcome, compiles: bool = True) -> None:
        self._outcomes = list(outcomes)
        self._compiles = compiles
        self.heard: list[str] = []

    @contextmanager
    def planted(self, bug: Bug) -> Iterator[None]:
        self.heard.append(f"plant {bug.name}")
        yield
        self.heard.append(f"take out {bug.name}")

    def build(self, tests: Iterable[CargoTest | Pytest]) -> str | None:
        assert list(tests)
        return None if self._compiles else "it does not compile"

    def run(self, test: CargoTest | Pytest) -> Outcome:
        self.heard.append(test.command)
        return self._outcomes.pop(0)


PASSED = Outcome(passed=True, failed=False, said="it ended with 0")
FAILED = Outcome(passed=False, failed=True, said="1 is not 2")
HUNG = Outcome(passed=False, failed=False, said="it did not end in 300 s")
ONE_BUG = Bug(
    "one", "It is.", "core_rs/stock/src/it.rs", "a", "b", (Pytest("a.py", "test_a"), Pytest("b.py", "test_b"))
)


def test_a_bug_is_caught_when_every_test_named_for_it_fails() -> None:
    tree = FakeTree(FAILED, FAILED)
    assert catch(tree, ONE_BUG) == "1 is not 2"
    assert tree.heard == ["plant one", "pytest a.py::test_a", "pytest b.py::test_b", "take out one"]


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (FakeTree(FAILED, PASSED), "it survives `pytest b.py::test_b`"),
        (FakeTree(HUNG), "does not fail as a test does: it did not end in 300 s"),
        (FakeTree(compiles=False), "it does not compile"),
    ],
    ids=["survives", "hangs", "does not compile"],
)
def test_a_bug_that_survives_hangs_or_does_not_compile_is_not_caught(tree: FakeTree, words: str) -> None:
    with pytest.raises(PlantedError, match=words):
        catch(tree, ONE_BUG)


def test_nothing_is_planted_where_a_named_test_does_not_pass_by_itself() -> None:
    sound(FakeTree(PASSED, PASSED), [ONE_BUG, ONE_BUG])
    with pytest.raises(PlantedError, match="with nothing planted"):
        sound(FakeTree(PASSED, FAILED), [ONE_BUG])


def test_a_bug_is_chosen_by_its_name_and_one_that_is_none_is_refused() -> None:
    assert [bug.name for bug in chosen(["no-sync"])] == ["no-sync"]
    assert chosen([]) == BUGS
    with pytest.raises(PlantedError, match="no planted bug called nobody"):
        chosen(["nobody"])
