"""Bulk import: many documents of one kind, an answer a row; a refused row stops no other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.catalog import bodies, etags, form, references
from lockstock_server.catalog.documents import put_of
from lockstock_server.catalog.preview import Overlay, differences
from lockstock_server.catalog.rows import levels
from lockstock_server.catalog.service import OUTRUN, TRIES, default_state
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lockstock_server.catalog.kinds import Document, Kind
    from lockstock_server.catalog.preview import Assumed, FieldChange
    from lockstock_server.catalog.service import Catalog
    from lockstock_server.catalog.view import Stored

ROWS_MAX = 8_190

SLICE_ROWS = 256
"""So many rows are judged before other calls on this door get their turn: some milliseconds."""


class Done(NamedTuple):
    """What became of a row, or would become of it; `changes` only where that was asked."""

    result: Literal["created", "updated", "unchanged"]
    etag: str
    changes: Sequence[FieldChange] = ()


Outcome = Done | Refused


@dataclass(frozen=True, slots=True)
class Change:
    """A row that changes something: the document, the version it is put on, its body and the one before."""

    number: int
    document: Document
    version: int
    body: bytes
    before: bytes = b""

    @property
    def result(self) -> Literal["created", "updated"]:
        """What it does."""
        return "updated" if self.version else "created"


class Import:
    """One import call over the catalogue.

    Each row is a step of its own in the engine; rows that others refer to go first. The route plans are
    compiled once, after the rows: until then new warehouses are on no plan, and closed ones give nothing.
    """

    def __init__(self, catalog: Catalog, kind: Kind) -> None:
        self._catalog = catalog
        self._kind = kind
        # What refers to each other within one level is judged as if the rows before it stood already: two
        # rows that make a cycle of known regions must not both go through.
        self._overlay = Overlay(catalog.view, {})
        self._first: dict[str, int] = {}
        self._outcomes: dict[int, Outcome] = {}

    async def run(self, rows: Sequence[Document]) -> list[Outcome]:
        """Take the rows; what became of each, in their order. Raises Refused where the call itself is."""
        self._begin(rows)
        return await self._catalog.undisturbed(self._run(rows))

    async def preview(self, rows: Sequence[Document], assumed: Assumed) -> list[Outcome]:
        """Tell what would become of each row, and change nothing. Raises Refused where the call itself is."""
        self._begin(rows)
        self._overlay = Overlay(self._catalog.view, assumed)
        for level in self._levels(rows):
            for slice_ in slices(level):
                for change in await self._judge(rows, slice_):
                    changes = differences(change.before, change.body) if change.before else ()
                    etag = etags.etag(change.version) if change.version else ""
                    self._outcomes[change.number] = Done(change.result, etag, changes)
        return self._in_order(rows)

    def _begin(self, rows: Sequence[Document]) -> None:
        if not rows:
            raise Refused("FIELD_REQUIRED", field=self._kind.plural)
        if len(rows) > ROWS_MAX:
            raise Refused("TOO_MANY_LINES", field=self._kind.plural, limit=ROWS_MAX)
        for number, row in enumerate(rows):
            self._first.setdefault(self._kind.id_of(row), number)

    def _in_order(self, rows: Sequence[Document]) -> list[Outcome]:
        return [self._outcomes[number] for number in range(len(rows))]

    def _levels(self, rows: Sequence[Document]) -> list[list[int]]:
        return levels(self._kind, rows) if self._kind.held else [list(range(len(rows)))]

    async def _run(self, rows: Sequence[Document]) -> list[Outcome]:
        async with self._catalog.order(self._kind):
            for level in self._levels(rows):
                self._overlay = Overlay(self._catalog.view, {})
                # While the disk is busy with one slice the next is judged.
                putting = []
                try:
                    for slice_ in slices(level):
                        changes = await self._judge(rows, slice_)
                        putting.append(asyncio.create_task(self._put(rows, changes)))
                finally:
                    # All of them, whatever became of one: nothing may go on behind the caller's back.
                    await asyncio.wait(putting) if putting else None
                for put in putting:
                    put.result()
            if self._kind.held:
                await self._catalog.install_owed()
        return self._in_order(rows)

    async def _put(self, rows: Sequence[Document], changes: Sequence[Change]) -> None:
        for _ in range(TRIES):
            outrun = await self._put_once(changes)
            if not outrun:
                return
            changes = await self._judge(rows, outrun)

    async def _put_once(self, changes: Sequence[Change]) -> list[int]:
        """Put the changes; the rows that somebody was faster with. Theirs are judged anew."""
        outrun = []
        puts = (put_of(self._kind, it.document, it.version, it.body) for it in changes)
        for change, result in zip(changes, await self._catalog.documents.put_each(puts), strict=True):
            if isinstance(result, Refused):
                self._outcomes[change.number] = result
                if result.reason in OUTRUN and not self._kind.held:
                    outrun.append(change.number)
                continue
            self._outcomes[change.number] = Done(change.result, etags.etag(result))
            self._catalog.view.put(self._kind, change.document, result)
            if self._kind.held:
                self._catalog.plans.owe(self._catalog.plans.change(change.document))
        return outrun

    async def _judge(self, rows: Sequence[Document], numbers: Sequence[int]) -> list[Change]:
        """Judge rows: those that change something. What becomes of the others is an outcome already."""
        ids = {self._kind.id_of(rows[number]): None for number in numbers}
        standing = await self._catalog.view.many(self._kind, filter(form.is_id, ids))
        # A view in memory is never waited for: other calls get their turn here all the same.
        await asyncio.sleep(0)
        changes = []
        for number in numbers:
            judged = self._judge_one(number, rows[number], standing)
            if isinstance(judged, Change):
                changes.append(judged)
                if self._kind.held:
                    self._overlay.put(self._kind, judged.document)
            else:
                self._outcomes[number] = judged
        return changes

    def _judge_one(self, number: int, row: Document, standing: Mapping[str, Stored]) -> Change | Outcome:
        path = f"{self._kind.plural}[{number}]"
        stored = standing.get(self._kind.id_of(row))
        made = form.normalised(row)
        try:
            # A row that says no state leaves a known warehouse as it is: files seldom have that column.
            if (
                stored is not None
                and isinstance(made, pb.Warehouse)
                and isinstance(stored.document, pb.Warehouse)
            ):
                default_state(made, stored.document.state)
            default_state(made, pb.WAREHOUSE_STATE_ACTIVE)
            form.check(self._kind, path, made)
            version = stored.version if stored else 0
            etags.check(self._kind.id_of(made), row.etag, version)
            references.check(self._overlay, self._kind, path, made)
            self._check_once(path, number, self._kind.id_of(made))
        except Refused as refused:
            return refused
        body = bodies.write(made)
        if stored is None:
            return Change(number, made, version, body)
        if stored.body == body or bodies.write(stored.document) == body:
            return Done("unchanged", etags.etag(version))
        return Change(number, made, version, body, stored.body)

    def _check_once(self, path: str, number: int, document_id: str) -> None:
        if self._first[document_id] != number:
            raise Refused("LINE_REPEATED", field=f"{path}.{self._kind.name}", value=document_id)


def slices(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut rows into slices of SLICE_ROWS."""
    for first in range(0, len(numbers), SLICE_ROWS):
        yield numbers[first : first + SLICE_ROWS]
