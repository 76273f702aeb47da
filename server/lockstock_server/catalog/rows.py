"""The order in which the rows of an import are taken: what is referred to comes before what refers to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockstock_server.catalog.references import parent_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockstock_server.catalog.kinds import Document, Kind


def levels(kind: Kind, rows: Sequence[Document]) -> list[list[int]]:
    """Group the rows' numbers (from 0): a row comes in a later group than the row of its parent.

    Rows that form a cycle among themselves come last, where the check of references refuses them.
    """
    at = {kind.id_of(row): number for number, row in reversed(list(enumerate(rows)))}
    depth: dict[int, int] = {}
    for first in range(len(rows)):
        path: dict[int, None] = {}
        number: int | None = first
        while number is not None and number not in depth and number not in path:
            path[number] = None
            number = at.get(parent_of(rows[number]))
        if number is not None and number in path:
            # All on the way into the cycle wait for it, and nothing waits for them.
            depth.update(dict.fromkeys(path, len(rows)))
            continue
        base = -1 if number is None else depth[number]
        for above, node in enumerate(reversed(path), start=1):
            depth[node] = min(base + above, len(rows))
    grouped: dict[int, list[int]] = {}
    for number in range(len(rows)):
        grouped.setdefault(depth[number], []).append(number)
    return [grouped[key] for key in sorted(grouped)]
