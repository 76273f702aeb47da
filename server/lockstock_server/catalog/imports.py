"""Bulk import: many documents of one kind, an answer a row; a refused row stops no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockstock.internal.v1 import documents_pb2 as seam
from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.catalog import bodies, etags, form, references
from lockstock_server.catalog.documents import put_of
from lockstock_server.catalog.rows import levels
from lockstock_server.catalog.service import default_state
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockstock_server.catalog.kinds import Document, Kind
    from lockstock_server.catalog.service import Catalog

ROWS_MAX = 8_190

Outcome = tuple[str, str] | Refused
"""What became of a row: ("created" | "updated" | "unchanged", etag), or the refusal."""


class Import:
    """One import call over the catalogue.

    Each row is a step of its own in the engine; rows that others refer to go first. The route plans are
    compiled once, after the rows: until then new warehouses are on no plan, and closed ones give nothing.
    """

    def __init__(self, catalog: Catalog, kind: Kind) -> None:
        self._catalog = catalog
        self._kind = kind

    async def run(self, rows: Sequence[Document]) -> list[Outcome]:
        """Take the rows; what became of each, in their order. Raises Refused where the call itself is."""
        if not rows:
            raise Refused("FIELD_REQUIRED", field=self._kind.plural)
        if len(rows) > ROWS_MAX:
            raise Refused("TOO_MANY_LINES", field=self._kind.plural, limit=ROWS_MAX)
        return await self._catalog.undisturbed(self._run(rows))

    async def _run(self, rows: Sequence[Document]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        async with self._catalog.writing:
            for level in levels(self._kind, rows):
                await self._take(rows, level, outcomes)
            await self._catalog.install_owed()
        return [outcomes[number] for number in range(len(rows))]

    async def _take(self, rows: Sequence[Document], level: list[int], outcomes: dict[int, Outcome]) -> None:
        changes: list[tuple[int, Document, int]] = []
        first: dict[str, int] = {self._kind.id_of(row): at for at, row in reversed(list(enumerate(rows)))}
        for number in level:
            path = f"{self._kind.plural}[{number}]"
            try:
                made, version = self._prepare(path, rows[number])
                self._check_once(path, made, first[self._kind.id_of(made)] == number)
            except Refused as refused:
                outcomes[number] = refused
                continue
            standing = self._catalog.view.find(self._kind, self._kind.id_of(made))
            if standing is not None and bodies.write(standing) == bodies.write(made):
                outcomes[number] = ("unchanged", etags.etag(version))
            else:
                changes.append((number, made, version))
        requests = [
            seam.PutDocumentsRequest(documents=[put_of(self._kind, made, version)])
            for _, made, version in changes
        ]
        results = await self._catalog.documents.put_each(requests)
        for (number, made, version), result in zip(changes, results, strict=True):
            if isinstance(result, Refused):
                outcomes[number] = result
            else:
                self._catalog.view.put(self._kind, made, result)
                self._catalog.plans.owe(self._catalog.plans.change(made))
                outcomes[number] = ("updated" if version else "created", etags.etag(result))

    def _check_once(self, path: str, row: Document, is_first: bool) -> None:  # noqa: FBT001 - one fact of the row
        if not is_first:
            field = f"{path}.{self._kind.name}"
            raise Refused("LINE_REPEATED", field=field, value=self._kind.id_of(row))

    def _prepare(self, path: str, row: Document) -> tuple[Document, int]:
        made = form.normalised(row)
        document_id = self._kind.id_of(made)
        stored = self._catalog.view.get(self._kind, document_id)
        # A row that says no state leaves a known warehouse as it is: files seldom have that column.
        if stored is not None and isinstance(stored.document, pb.Warehouse):
            default_state(made, stored.document.state)
        default_state(made, pb.WAREHOUSE_STATE_ACTIVE)
        form.check(self._kind, path, made)
        version = stored.version if stored else 0
        etags.check(document_id, row.etag, version)
        references.check(self._catalog.view, self._kind, path, made)
        return made, version
