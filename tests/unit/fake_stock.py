"""An engine's stock as routing reads it: units by SKU and warehouse, SKU documents, reservations."""

from __future__ import annotations

from dataclasses import dataclass, field

from lockstock.internal.v1 import documents_pb2 as seam
from lockstock.v1 import catalog_pb2, stock_pb2
from lockstock_server.catalog import bodies
from lockstock_server.refusals import Refused


@dataclass
class FakeStock:
    """Answers BatchGetStock, GetDocuments of SKUs and GetReservation; what is free is all there is."""

    sequence: int = 7
    skus: dict[str, catalog_pb2.Sku] = field(default_factory=dict)
    units: dict[tuple[str, str], int] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    async def call(self, method: str, request: bytes) -> bytes:
        match method.rpartition("/")[2]:
            case "BatchGetStock":
                asked = stock_pb2.BatchGetStockRequest.FromString(request)
                return self._stock(list(asked.skus)).SerializeToString()
            case "GetDocuments":
                wanted = seam.GetDocumentsRequest.FromString(request)
                assert wanted.kind == seam.DOCUMENT_KIND_SKU
                return self._documents(list(wanted.ids)).SerializeToString()
            case "GetReservation":
                order_id = stock_pb2.GetReservationRequest.FromString(request).reservation_id
                if order_id not in self.versions:
                    raise Refused("RESERVATION_NOT_FOUND", reservation=order_id)
                return stock_pb2.Reservation(version=self.versions[order_id]).SerializeToString()
            case other:
                raise AssertionError(other)

    def _stock(self, skus: list[str]) -> stock_pb2.BatchGetStockResponse:
        response = stock_pb2.BatchGetStockResponse(sequence=self.sequence)
        for sku in skus:
            levels = {name: units for (of, name), units in sorted(self.units.items()) if of == sku}
            stock = response.stocks.add(
                sku=sku, sequence=self.sequence, free=self.free.get(sku, sum(levels.values()))
            )
            for name, units in levels.items():
                stock.levels.add(warehouse=name, available=units)
        return response

    def _documents(self, skus: list[str]) -> seam.GetDocumentsResponse:
        response = seam.GetDocumentsResponse(sequence=self.sequence)
        for sku in skus:
            if sku in self.skus:
                response.documents.add(
                    id=sku, version=1, kind=seam.DOCUMENT_KIND_SKU, body=bodies.write(self.skus[sku])
                )
        return response
