"""Updates under a field mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockstock_server.catalog.kinds import Document, Kind


def merged(kind: Kind, current: Document, asked: Document, paths: Sequence[str]) -> Document:
    """Give the current document with the named fields as asked; no paths: all but the id.

    A mask names whole fields. Raises FIELD_MASK_INVALID for any other path.
    """
    for path in paths:
        if path not in kind.updatable:
            raise Refused("FIELD_MASK_INVALID", field=path)
    result = kind.message()
    result.CopyFrom(current)  # type: ignore[arg-type] # of one kind by construction
    for name in paths or sorted(kind.updatable):
        result.ClearField(name)  # type: ignore[arg-type] # checked above
        part = kind.message()
        part.CopyFrom(asked)  # type: ignore[arg-type]
        for other in kind.message.DESCRIPTOR.fields_by_name:
            if other != name:
                part.ClearField(other)  # type: ignore[arg-type]
        result.MergeFrom(part)  # type: ignore[arg-type]
    return result
