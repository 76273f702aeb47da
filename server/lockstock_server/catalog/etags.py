"""Etags: the version of a document as text."""

from __future__ import annotations

from lockstock_server.refusals import Refused


def etag(version: int) -> str:
    """Write a version."""
    return str(version)


def check(document_id: str, asked: str, current: int) -> None:
    """Refuse an etag that is not the current one; an empty one means any version."""
    if asked and asked != etag(current):
        raise Refused("STALE_VERSION", id=document_id, expected=asked, current=current)
