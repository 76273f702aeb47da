"""Idempotency keys."""

import secrets
import time
import uuid

_STAMP_BITS = 48
_RANDOM_BITS = 62


def new_request_id() -> str:
    """A new UUIDv7 in its canonical text form: stamped with the time, for the rest random.

    Make one for each thing you want done, keep it, and send it again on every retry of that thing.
    """
    stamp_ms = (time.time_ns() // 1_000_000) & ((1 << _STAMP_BITS) - 1)
    value = (
        stamp_ms << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(_RANDOM_BITS)
    )
    return str(uuid.UUID(int=value))
