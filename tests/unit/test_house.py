"""The house itself: who may import whom, how large a room may be, and what may not stand in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "server" / "lockstock_server"
CORE = ROOT / "core_rs"
CROWDED = 600

# Who may not know what: the rules of the domain know neither transport nor database.
FORBIDDEN = {
    "routing": {"grpc", "sqlalchemy", "lockstock_server.doors", "lockstock_server.projection"},
    "orders": {
        "grpc",
        "sqlalchemy",
        "lockstock_server.doors",
        "lockstock_server.projection",
        "lockstock_server.reports",
    },
    "reports": {"grpc", "lockstock_server.doors"},
    "catalog": {"grpc", "sqlalchemy", "lockstock_server.doors", "lockstock_server.projection"},
    "replay": {"grpc", "sqlalchemy", "lockstock_server.doors", "lockstock_server.projection"},
    "projection": {"grpc", "lockstock_server.doors", "lockstock_server.catalog"},
}
COMPOSERS = {"compose.py"}
"""The files that may join doors, projection and engine."""


def sources(*folders: Path) -> list[Path]:
    found = [path for folder in folders for suffix in ("*.py", "*.rs") for path in folder.rglob(suffix)]
    left_out = {"target", ".venv"}
    return [path for path in found if not left_out & set(path.parts) and "_pb2" not in path.name]


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("folder", sorted(FORBIDDEN))
def test_a_room_of_the_domain_knows_neither_transport_nor_what_is_not_its_own(folder: str) -> None:
    for path in (SERVER / folder).rglob("*.py"):
        for name in imports(path):
            for forbidden in FORBIDDEN[folder]:
                assert not f"{name}.".startswith(f"{forbidden}."), f"{path}: {name}"


def test_only_the_composition_root_joins_doors_projection_and_engine() -> None:
    for path in SERVER.glob("*.py"):
        known = {name.split(".")[1] for name in imports(path) if name.startswith("lockstock_server.")}
        if {"doors", "projection"} <= known:
            assert path.name in COMPOSERS, path


def test_the_state_machine_depends_on_nothing_and_does_no_io() -> None:
    manifest = (CORE / "stock" / "Cargo.toml").read_text(encoding="utf-8")
    assert "[dependencies]" not in manifest
    for path in (CORE / "stock" / "src").rglob("*.rs"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"std::(fs|net|time::(Instant|SystemTime)|thread|process|env)", text), path


def test_unsafe_and_unwrap_on_input_do_not_occur() -> None:
    for path in CORE.rglob("src/**/*.rs"):
        code = re.split(r"#\[cfg\(test\)\]", path.read_text(encoding="utf-8"))[0]
        if "target" in path.parts or "tests" in path.parts or path.name in {"tests.rs", "testing.rs"}:
            continue
        assert not re.search(r"\bunsafe\s*(\{|fn|impl)", code), path


def test_no_room_is_crowded() -> None:
    crowded = {
        str(path.relative_to(ROOT)): lines
        for path in sources(ROOT / "server", CORE, ROOT / "clients", ROOT / "tests", ROOT / "docs")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > CROWDED
    }
    assert not crowded


def test_no_open_marks_stand_in_the_code() -> None:
    words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", r"todo!\(", r"unimplemented!\(", "raise NotImplemented"]
    marks = re.compile("|".join(words))
    for path in sources(
        ROOT / "server", CORE, ROOT / "clients", ROOT / "tests", ROOT / "docs", ROOT / "proto"
    ):
        if path != Path(__file__).resolve():
            assert not marks.search(path.read_text(encoding="utf-8")), path


def test_no_two_files_of_tests_have_the_same_name() -> None:
    # The test runner imports them by that name: the second would be the first.
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
