"""Bodies: a document as canonical JSON, the same bytes for the same document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from google.protobuf import json_format

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockstock_server.catalog.kinds import Document, Kind


def canonical(value: Mapping[str, object]) -> bytes:
    """Write JSON with sorted keys and no blanks, as UTF-8."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def write(document: Document) -> bytes:
    """Write a document's body; its etag is not part of it."""
    fields = json_format.MessageToDict(document, preserving_proto_field_name=True)
    fields.pop("etag", None)
    return canonical(fields)


def read(kind: Kind, body: bytes) -> Document:
    """Read a document's body. Fields that a newer server wrote are passed over."""
    return json_format.Parse(body, kind.message(), ignore_unknown_fields=True)


def write_plan(region: str, warehouses: Sequence[str]) -> bytes:
    """Write a route plan's body."""
    return canonical({"region": region, "warehouses": list(warehouses)})


def read_plan(body: bytes) -> tuple[str, ...]:
    """Read a route plan's body: its warehouses in order."""
    return tuple(json.loads(body)["warehouses"])
