"""The policy, and what breaks it. Pure: packages and policy in, sentences out."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from supply_chain.spdx import ExpressionError, can_be_met

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RUST: Final = "crates.io"
PYTHON: Final = "PyPI"


class PolicyError(Exception):
    """The policy, or what it is held against, cannot be read: a sentence."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package of a lock file."""

    tree: str
    """RUST or PYTHON."""
    name: str
    version: str
    source: str
    """The registry it comes from; any other place is written as it stands in the lock file."""
    pinned: bool
    """Whether the lock file has its hash."""
    licence: str | None
    """An SPDX expression; None where it is not installed here (a package of another platform)."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What is allowed. Each exception has its reason, and one that nothing needs any more breaks the policy."""

    licences: frozenset[str]
    licences_of: dict[str, str] = field(default_factory=dict)
    """By package: a licence that is allowed for it alone, with the reason."""
    means: dict[str, str] = field(default_factory=dict)
    """What packages write instead of an SPDX expression, and the expression it means."""
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Packages of other platforms, which cannot be asked here: the licence of each, as it was looked up."""
    banned: dict[str, str] = field(default_factory=dict)
    twice: dict[str, str] = field(default_factory=dict)
    """Packages that may be there in two versions."""
    accepted: dict[str, str] = field(default_factory=dict)
    """Advisories that do not concern us."""

    @staticmethod
    def read(text: str) -> Policy:
        """Reads policy.toml. Raises PolicyError where it has a part that is none, or an exception has no reason."""
        table = tomllib.loads(text)
        tables = ("licences_of", "means", "elsewhere", "banned", "twice", "accepted")
        if unknown := sorted(set(table) - {"licences", *tables}):
            raise PolicyError(f"{unknown[0]} is no part of the policy")
        for name in tables:
            for key, words in table.get(name, {}).items():
                if not words.strip():
                    raise PolicyError(f"{name}.{key} has no reason")
        parts = {name: dict(table.get(name, {})) for name in tables}
        return Policy(frozenset(table.get("licences", ())), **parts)


def violations(packages: Iterable[Package], policy: Policy) -> list[str]:
    """Everything that is not as the policy says, as sentences."""
    found = list(packages)
    return [
        *_licences(found, policy),
        *_bans(found, policy),
        *_sources(found),
        *_versions(found, policy),
        *_stale(found, policy),
    ]


def _licences(packages: Iterable[Package], policy: Policy) -> Iterator[str]:
    for package in packages:
        stated = policy.elsewhere.get(package.name) if package.licence is None else package.licence
        if stated is None:
            yield f"{package} is not installed here, and the policy does not know its licence"
            continue
        expression = policy.means.get(stated, stated)
        try:
            allowed = can_be_met(expression, policy.licences)
        except ExpressionError:
            yield f"{package} states its licence as {stated!r}, which is no SPDX expression"
            continue
        if not allowed and package.name not in policy.licences_of:
            yield f"{package} is under {expression!r}, which is not allowed"


def _bans(packages: Iterable[Package], policy: Policy) -> Iterator[str]:
    for package in packages:
        if reason := policy.banned.get(package.name):
            yield f"{package} is banned: {reason}"


def _sources(packages: Iterable[Package]) -> Iterator[str]:
    for package in packages:
        if package.source != package.tree:
            yield f"{package} comes from {package.source}, not from {package.tree}"
        elif not package.pinned:
            yield f"{package} has no hash in its lock file"


def _versions(packages: Iterable[Package], policy: Policy) -> Iterator[str]:
    for (_, name), versions in sorted(_by_name(packages).items()):
        if len(versions) > 1 and name not in policy.twice:
            yield f"{name} is there {len(versions)} times: {', '.join(sorted(versions))}"


def _stale(packages: Iterable[Package], policy: Policy) -> Iterator[str]:
    """Exceptions that nothing needs: what is allowed for a reason goes with the reason."""
    found = list(packages)
    versions = _by_name(found)
    for name in policy.twice:
        if not any(of == name and len(them) > 1 for (_, of), them in versions.items()):
            yield f"the policy lets {name} be there twice, and it is not"
    for name in (*policy.licences_of, *policy.elsewhere):
        if not any(package.name == name for package in found):
            yield f"the policy allows the licence of {name}, which is not there"
    for words in policy.means:
        if not any(package.licence == words for package in found):
            yield f"the policy says what the licence {words!r} means, and nobody states it"


def _by_name(packages: Iterable[Package]) -> dict[tuple[str, str], set[str]]:
    versions: dict[tuple[str, str], set[str]] = defaultdict(set)
    for package in packages:
        versions[package.tree, package.name].add(package.version)
    return versions
