"""The supply chain: each way of breaking the policy is found, and what is there does not break it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from supply_chain import advisories, trees
from supply_chain.policy import PYTHON, RUST, Package, Policy, PolicyError, violations

ROOT = Path(__file__).resolve().parents[2]
CRATE = Package(RUST, "serde", "1.0.0", RUST, pinned=True, licence="MIT OR Apache-2.0")
WHEEL = Package(PYTHON, "rich", "15.0", PYTHON, pinned=True, licence="MIT")
POLICY = Policy(frozenset({"MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"}))
LOCK = """\
rich==15.0 \
    --hash=sha256:0a \
    --hash=sha256:0b
wheel[all]==2 ; sys_platform == 'win32' \
    --hash=sha256:0c
"""
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def test_what_the_policy_allows_is_no_violation() -> None:
    assert violations([CRATE, WHEEL], POLICY) == []


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-3.0-only OR MIT",
        "(GPL-3.0-only OR MIT) AND Unicode-3.0",
        "GPL-3.0-only/MIT",
        "Apache-2.0 WITH LLVM-exception",
    ],
)
def test_a_licence_is_allowed_where_its_expression_can_be_met(licence: str) -> None:
    assert violations([replace(CRATE, licence=licence)], POLICY) == []


@pytest.mark.parametrize(
    ("licence", "words"),
    [
        ("GPL-3.0-only", "is under 'GPL-3.0-only', which is not allowed"),
        ("MIT AND GPL-3.0-only", "which is not allowed"),
        ("GPL-3.0-only OR (MIT AND AGPL-3.0-only)", "which is not allowed"),
        ("Apache-2.0 WITH Classpath-exception-2.0", "which is not allowed"),
        ("", "which is no SPDX expression"),
        ("MIT License", "which is no SPDX expression"),
        ("(MIT", "which is no SPDX expression"),
        ("MIT WITH", "which is no SPDX expression"),
        ("MIT OR AND MIT", "which is no SPDX expression"),
        (None, "is not installed here, and the policy does not know its licence"),
    ],
)
def test_any_other_licence_is_found(licence: str | None, words: str) -> None:
    (found,) = violations([replace(CRATE, licence=licence)], POLICY)
    assert found.startswith("serde 1.0.0 ")
    assert found.endswith(words)


def test_a_licence_is_allowed_for_one_package_with_a_reason_or_translated() -> None:
    policy = replace(
        POLICY, licences_of={"serde": "why"}, means={"MIT License": "MIT"}, elsewhere={"a": "MIT"}
    )
    packages = [
        replace(CRATE, licence="LGPL-3.0-only"),
        replace(WHEEL, licence="MIT License"),
        replace(WHEEL, name="a", licence=None),
    ]
    assert violations(packages, policy) == []


def test_a_banned_package_is_found_with_the_reason() -> None:
    policy = replace(POLICY, banned={"serde": "because"})
    assert violations([CRATE], policy) == ["serde 1.0.0 is banned: because"]


@pytest.mark.parametrize("source", ["git+https://example.org/serde", "registry+https://example.org/index"])
def test_a_package_from_elsewhere_is_found(source: str) -> None:
    packages = [{"name": "serde", "version": "1.0.0", "source": source, "license": "MIT"}]
    assert violations(trees.crates(packages, ""), POLICY) == [
        f"serde 1.0.0 comes from {source}, not from crates.io"
    ]


def test_a_crate_without_a_hash_in_the_lock_file_is_found_and_our_own_are_not_asked() -> None:
    packages: list[dict[str, Any]] = [
        {"name": "serde", "version": "1.0.0", "source": CRATES_IO, "license": "MIT"},
        {"name": "ours", "version": "0.1.0", "source": None, "license": None},
    ]
    locked = '[[package]]\nname = "serde"\nversion = "1.0.0"\nchecksum = "0a"\n'
    assert violations(trees.crates(packages, locked), POLICY) == []
    assert violations(trees.crates(packages, locked.replace("1.0.0", "1.0.1")), POLICY) == [
        "serde 1.0.0 has no hash in its lock file"
    ]


def test_a_lock_file_of_python_is_read_with_its_hashes_and_markers() -> None:
    found = trees.distributions(LOCK, lambda _: "MIT")
    assert [(it.name, it.version, it.pinned, it.source) for it in found] == [
        ("rich", "15.0", True, PYTHON),
        ("wheel", "2", True, PYTHON),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rich==15.0", "rich 15.0 has no hash in its lock file"),
        (
            "rich @ https://example.org/rich.whl --hash=sha256:0a",
            "rich  comes from https://example.org/rich.whl",
        ),
        ("rich>=15 --hash=sha256:0a", "which is not pinned"),
    ],
)
def test_a_distribution_that_is_not_pinned_or_comes_from_elsewhere_is_found(line: str, words: str) -> None:
    (found,) = violations(trees.distributions(line, lambda _: "MIT"), POLICY)
    assert words in found


def test_a_lock_file_that_names_another_index_is_refused() -> None:
    with pytest.raises(PolicyError, match="packages come from PyPI"):
        trees.distributions(f"--extra-index-url https://example.org\n{LOCK}", lambda _: "MIT")


def test_a_package_in_two_versions_needs_a_reason_and_the_two_trees_are_two() -> None:
    twice = [CRATE, replace(CRATE, version="2.0.0")]
    assert violations(twice, POLICY) == ["serde is there 2 times: 1.0.0, 2.0.0"]
    assert violations(twice, replace(POLICY, twice={"serde": "why"})) == []
    assert violations([CRATE, replace(WHEEL, name="serde")], POLICY) == []


@pytest.mark.parametrize("part", ["twice", "licences_of", "means", "elsewhere"])
def test_an_exception_that_nothing_needs_any_more_is_found(part: str) -> None:
    policy = Policy.read(f'licences = ["MIT"]\n[{part}]\ngone = "why"\n')
    (found,) = violations([CRATE], policy)
    assert "gone" in found


def test_a_policy_says_a_reason_for_every_exception_and_nothing_unknown() -> None:
    with pytest.raises(PolicyError, match=r"banned\.serde has no reason"):
        Policy.read('[banned]\nserde = " "\n')
    with pytest.raises(PolicyError, match="bans is no part"):
        Policy.read('[bans]\nserde = "why"\n')


def test_an_advisory_is_found_unless_it_is_accepted_with_a_reason() -> None:
    def database(path: str, sent: Any) -> Any:
        assert path == "querybatch"
        assert [query["package"]["name"] for query in sent["queries"]] == ["serde", "rich"]
        return json.loads('{"results": [{"vulns": [{"id": "RUSTSEC-1"}]}, {}]}')

    found = advisories.advisories([CRATE, WHEEL], database)
    assert list(advisories.violations(found, POLICY)) == [
        "serde 1.0.0 has an advisory: RUSTSEC-1 (https://osv.dev/RUSTSEC-1)"
    ]
    assert list(advisories.violations(found, replace(POLICY, accepted={"RUSTSEC-1": "why"}))) == []
    (stale,) = advisories.violations([], replace(POLICY, accepted={"RUSTSEC-1": "why"}))
    assert "RUSTSEC-1" in stale


def test_the_lock_file_of_python_is_as_the_policy_says() -> None:
    policy = Policy.read((ROOT / "tests" / "supply_chain" / "policy.toml").read_text())
    packages = trees.python(ROOT)
    assert len(packages) > 50
    # Only crates are there twice; of those `make lint` asks cargo.
    assert violations(packages, replace(policy, twice={})) == []
