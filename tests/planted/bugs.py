"""The list of planted bugs: one small change of the product each, and the tests that must notice it."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = Path(__file__).parent / "bugs"
_FIELDS: Final = {"broken", "file", "find", "replace", "cargo", "pytest"}
# The rooms of ARCHITECTURE.md by their folders, in the words of the page.
_ROOMS: Final = {
    "core_rs/stock": "state machine",
    "core_rs/journal": "journal",
    "core_rs/engine/src/projection": "projection rows",
    "core_rs/engine": "engine",
    "core_rs/wire": "wire",
    "server/lockstock_server/projection": "projection",
    "server/lockstock_server": "server",
}


class PlantedError(Exception):
    """The list does not fit the tree: a sentence."""


@dataclass(frozen=True, slots=True)
class CargoTest:
    """One test of one test binary."""

    package: str
    target: str
    """`lib`, or the name of a file in the package's tests/."""
    test: str

    @staticmethod
    def read(text: str) -> CargoTest:
        """Reads "lockstock-stock pains pain_01_of_something"."""
        words = text.split()
        if len(words) != len(CargoTest.__slots__):
            raise PlantedError(f"{text!r} is not a package, a target and a test")
        return CargoTest(*words)

    @property
    def command(self) -> str:
        """What a person would type to run it."""
        target = "--lib" if self.target == "lib" else f"--test {self.target}"
        return f"cargo test -p {self.package} {target} {self.test} -- --exact"

    def exists(self, root: Path) -> bool:
        """Whether there is such a test, as far as the source tells."""
        package = root / "core_rs" / self.package.removeprefix("lockstock-")
        name = re.compile(rf"\bfn {self.test.rpartition('::')[2]}\(")
        if self.target == "lib":
            return any(name.search(path.read_text()) for path in (package / "src").rglob("*.rs"))
        path = package / "tests" / f"{self.target}.rs"
        # The tables are made into tests by a macro that lists their names.
        listed = re.compile(rf"^    {self.test},$", re.MULTILINE)
        return path.is_file() and bool(name.search(path.read_text()) or listed.search(path.read_text()))


@dataclass(frozen=True, slots=True)
class Pytest:
    """One test of the Python side; it needs no build."""

    path: str
    test: str

    @staticmethod
    def read(text: str) -> Pytest:
        """Reads "tests/unit/test_it.py::test_of_something"."""
        path, separator, test = text.partition("::")
        if not separator:
            raise PlantedError(f"{text!r} is not a file of tests and a test")
        return Pytest(path, test)

    @property
    def node(self) -> str:
        """Its name as pytest has it."""
        return f"{self.path}::{self.test}"

    @property
    def command(self) -> str:
        """What a person would type to run it."""
        return f"pytest {self.node}"

    def exists(self, root: Path) -> bool:
        """Whether there is such a test; of one with parameters, its function."""
        path = root / self.path
        if not path.is_file():
            return False
        name = self.test.partition("[")[0]
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        tree = ast.walk(ast.parse(path.read_text()))
        return any(isinstance(node, functions) and node.name == name for node in tree)


@dataclass(frozen=True, slots=True)
class Bug:
    """One planted bug: in `file`, `find` becomes `replace`; every test of `caught_by` must then fail."""

    name: str
    broken: str
    file: str
    find: str
    replace: str
    caught_by: tuple[CargoTest | Pytest, ...]

    @property
    def room(self) -> str:
        """Where it is planted."""
        return next(room for folder, room in _ROOMS.items() if self.file.startswith(f"{folder}/"))

    def planted(self, root: Path) -> str:
        """The file with the bug in it. Raises PlantedError where it does not apply to this tree."""
        path = root / self.file
        if not path.is_file():
            raise PlantedError(f"{self.file} is not there")
        text = path.read_text()
        if (count := text.count(self.find)) != 1:
            raise PlantedError(f"what it changes stands {count} times in {self.file}, not once")
        return text.replace(self.find, self.replace)


def read(path: Path) -> Bug:
    """Reads one bug. Raises PlantedError where a part is missing, unknown or empty."""
    table = tomllib.loads(path.read_text())
    if unknown := sorted(set(table) - _FIELDS):
        raise PlantedError(f"{path.name}: {unknown[0]} is no part of a bug")
    if missing := [name for name in ("broken", "file", "find", "replace") if name not in table]:
        raise PlantedError(f"{path.name}: {missing[0]} is missing")
    caught_by: tuple[CargoTest | Pytest, ...] = (
        *(CargoTest.read(text) for text in table.get("cargo", ())),
        *(Pytest.read(text) for text in table.get("pytest", ())),
    )
    if not caught_by:
        raise PlantedError(f"{path.name}: no test is named that must catch it")
    if not any(table["file"].startswith(f"{folder}/") for folder in _ROOMS):
        raise PlantedError(f"{path.name}: {table['file']} is in no room of the product")
    words = (table["broken"], table["file"], table["find"], table["replace"])
    return Bug(path.stem, *words, caught_by)


def load(folder: Path = FOLDER) -> list[Bug]:
    """All planted bugs, a room after the other: neighbours share what has to be compiled again."""
    rooms = list(_ROOMS.values())
    bugs = [read(path) for path in folder.glob("*.toml")]
    return sorted(bugs, key=lambda bug: (rooms.index(bug.room), bug.name))
