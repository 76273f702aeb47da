"""The kinds of documents of the catalogue, as one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lockstock.internal.v1 import documents_pb2 as seam
from lockstock.v1 import catalog_pb2 as pb

if TYPE_CHECKING:
    from lockstock.internal.v1.documents_pb2 import DocumentKind

Document: TypeAlias = pb.Sku | pb.Warehouse | pb.Region | pb.Channel | pb.Shop


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of document.

    `name` is the word for it, the name of its id field and of the field that carries it in requests;
    `plural` names the field of lists and imports; `missing` is the reason where there is none of an id.
    `held`: planning needs all of them, so the view keeps them in memory and writes are taken one after the
    other. The others are read from the engine when asked for, and their writes need no order among
    themselves. `only` is the one id of a kind of which there is one document.
    """

    name: str
    plural: str
    message: type[Document]
    number: DocumentKind.ValueType
    missing: str
    held: bool = True
    only: str = ""

    @property
    def title(self) -> str:
        """The word as it stands in the names of methods."""
        return self.name.capitalize()

    @property
    def updatable(self) -> frozenset[str]:
        """The fields that an update may name."""
        return frozenset(self.message.DESCRIPTOR.fields_by_name) - {self.name, "etag"}

    def id_of(self, document: Document) -> str:
        """Read the document's id."""
        return self.only or str(getattr(document, self.name))


SKU = Kind("sku", "skus", pb.Sku, seam.DOCUMENT_KIND_SKU, "SKU_NOT_FOUND", held=False)
WAREHOUSE = Kind("warehouse", "warehouses", pb.Warehouse, seam.DOCUMENT_KIND_WAREHOUSE, "WAREHOUSE_NOT_FOUND")
REGION = Kind("region", "regions", pb.Region, seam.DOCUMENT_KIND_REGION, "REGION_NOT_FOUND")
CHANNEL = Kind("channel", "channels", pb.Channel, seam.DOCUMENT_KIND_CHANNEL, "CHANNEL_NOT_FOUND")
SHOP = Kind("shop", "", pb.Shop, seam.DOCUMENT_KIND_SHOP, "", only="shop")

COLLECTIONS = (SKU, WAREHOUSE, REGION, CHANNEL)
"""The kinds with ids: they are created, listed and imported."""

KINDS = (*COLLECTIONS, SHOP)
