"""What documents say of each other: every reference must be there, and trees must stay trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.catalog.kinds import REGION, WAREHOUSE, Document, Kind
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator


class Lookup(Protocol):
    """Where documents are looked up."""

    def find(self, kind: Kind, document_id: str) -> Document | None:
        """Give the document as it stands, or None."""


def parent_of(document: Document | None) -> str:
    """Read the id of the document above, empty for none."""
    return document.parent if isinstance(document, (pb.Region, pb.Warehouse)) else ""


def ancestry(lookup: Lookup, kind: Kind, document_id: str) -> Iterator[str]:
    """Walk up the tree: the id itself, then what is above it."""
    while document_id:
        yield document_id
        document_id = parent_of(lookup.find(kind, document_id))


def check(lookup: Lookup, kind: Kind, path: str, document: Document) -> None:
    """Refuse a reference to what is not there, and a parent that would make a cycle."""
    parent = parent_of(document)
    if parent:
        field = f"{path}.parent"
        if lookup.find(kind, parent) is None:
            raise Refused("REFERENCE_INVALID", field=field, value=parent)
        if kind.id_of(document) in ancestry(lookup, kind, parent):
            raise Refused("REFERENCE_INVALID", field=field, value=parent)
    if kind is WAREHOUSE and isinstance(document, pb.Warehouse):
        for at, region in enumerate(document.coverage.regions):
            if lookup.find(REGION, region) is None:
                raise Refused("REFERENCE_INVALID", field=f"{path}.coverage.regions[{at}]", value=region)
