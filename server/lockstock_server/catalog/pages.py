"""Keyset pages: a token says after which id the next page begins, and of which list."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from lockstock_server.refusals import Refused

PAGE_SIZE_DEFAULT = 100
PAGE_SIZE_MAX = 1_000
_SEAL_BYTES = 8


def _seal(payload: bytes) -> bytes:
    # Not a secret: it tells our tokens from text that only looks like one. A token lets nobody see more.
    return hashlib.blake2s(payload, digest_size=_SEAL_BYTES, person=b"lspage1").digest()


def token(listing: str, after: str) -> str:
    """Make the token of the page of `listing` that begins after the id `after`."""
    payload = json.dumps([listing, after], ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_seal(payload) + payload).rstrip(b"=").decode()


def after(listing: str, page_token: str) -> str:
    """Read a token: the id after which the page begins. Raises PAGE_TOKEN_INVALID."""
    if not page_token:
        return ""
    try:
        raw = base64.urlsafe_b64decode(page_token + "=" * (-len(page_token) % 4))
    except (binascii.Error, ValueError):
        raise Refused("PAGE_TOKEN_INVALID") from None
    seal, payload = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
    if seal != _seal(payload):
        raise Refused("PAGE_TOKEN_INVALID")
    made_for, after_id = json.loads(payload)
    if made_for != listing or token(listing, after_id) != page_token:
        raise Refused("PAGE_TOKEN_INVALID")
    return str(after_id)


def asked(listing: str, page_size: int, page_token: str) -> tuple[str, int]:
    """Read what page is asked for: after which id it begins, and how many documents it has. Raises Refused."""
    if not 0 <= page_size <= PAGE_SIZE_MAX:
        raise Refused(
            "NUMBER_OUT_OF_RANGE", field="page_size", value=page_size, limit=f"0 to {PAGE_SIZE_MAX}"
        )
    return after(listing, page_token), page_size or PAGE_SIZE_DEFAULT
