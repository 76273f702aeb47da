"""Known defects of the packages we lock, from OSV, which has RustSec's database and PyPI's."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from supply_chain.policy import Package, Policy

_ADDRESS: Final = "https://api.osv.dev/v1"
_SECONDS: Final = 5.0


class Database(Protocol):
    """A path and what is sent there, for the JSON that comes back. Raises OSError where it cannot be reached."""

    def __call__(self, path: str, sent: object) -> Any:
        """Asks."""


@dataclass(frozen=True, slots=True)
class Advisory:
    """One advisory on one package."""

    package: Package
    id: str


def ask(path: str, sent: object) -> Any:
    """Asks OSV itself."""
    body = json.dumps(sent).encode()
    request = urllib.request.Request(f"{_ADDRESS}/{path}", data=body)  # noqa: S310 - the address is the constant above
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        return json.load(answer)


def advisories(packages: Sequence[Package], database: Database = ask) -> list[Advisory]:
    """The advisories on these versions. Raises OSError where the database cannot be reached."""
    queries = [{"package": {"name": it.name, "ecosystem": it.tree}, "version": it.version} for it in packages]
    results = database("querybatch", {"queries": queries})["results"]
    return [
        Advisory(package, known["id"])
        for package, result in zip(packages, results, strict=True)
        for known in result.get("vulns", ())
    ]


def violations(found: Iterable[Advisory], policy: Policy) -> Iterator[str]:
    """Advisories that the policy does not accept, as sentences; and what it accepts for nothing."""
    known = list(found)
    for advisory in known:
        if advisory.id not in policy.accepted:
            yield f"{advisory.package} has an advisory: {advisory.id} (https://osv.dev/{advisory.id})"
    for name in policy.accepted:
        if not any(advisory.id == name for advisory in known):
            yield f"the policy accepts {name}, which concerns nothing here"
