"""Refusals: a call that cannot be done, by a reason of the closed list. Knows no transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.rpc import error_details_pb2

if TYPE_CHECKING:
    from google.rpc import status_pb2


class Refused(Exception):  # noqa: N818 - the domain's word
    """A call is refused and has changed nothing.

    `reason` is a name of the closed list; `metadata` what varies. Where the engine refused, `status` is its
    whole status, to be passed on as it is.
    """

    def __init__(self, reason: str, /, **metadata: object) -> None:
        super().__init__(reason, metadata)
        self.reason = reason
        self.metadata: dict[str, str] = {name: str(value) for name, value in metadata.items()}
        self.status: status_pb2.Status | None = None

    @classmethod
    def by(cls, status: status_pb2.Status) -> Refused:
        """From the status that the engine gave."""
        info = error_details_pb2.ErrorInfo()
        for detail in status.details:
            if detail.Unpack(info):
                break
        metadata: dict[str, Any] = dict(info.metadata)
        refused = cls(info.reason, **metadata)
        refused.status = status
        return refused

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in sorted(self.metadata.items()))
        return f"{self.reason} ({facts})" if facts else self.reason
