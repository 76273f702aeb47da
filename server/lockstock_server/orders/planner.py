"""The port to a planner: who finds the warehouses for an order that no installed plan serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lockstock.internal.v1 import orders_pb2 as seam
    from lockstock.v1 import orders_pb2 as pb


class Planner(Protocol):
    """Plans the orders with coordinates or a pickup. Implemented by `routing`."""

    def plan(self, destination: pb.Destination, path: str) -> seam.Planned | None:
        """Give the candidates in order; None where the region's installed plan serves.

        `path` is where the destination stands in the request, for the words of a refusal.
        Raises Refused: FIELD_REQUIRED, FIELDS_CONFLICT, REGION_NOT_FOUND, WAREHOUSE_NOT_FOUND,
        PICKUP_NOT_OFFERED, NUMBER_OUT_OF_RANGE.
        """
