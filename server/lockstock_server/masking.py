"""Passwords do not stand in what is shown: settings, logs, errors."""

from __future__ import annotations

import re

MASK = "***"
# A password may hold anything, an @ too: of a URL that stands alone it ends at the last one, in a sentence at the
# last one before a space.
_URL = re.compile(
    r"^(?P<user>(?:[a-z][a-z0-9+.-]*:/+|(?![a-z][a-z0-9+.-]*:/))[^:/@]*:).*(?=@)", re.IGNORECASE | re.DOTALL
)
_IN_SENTENCE = re.compile(r"(?P<user>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)\S*(?=@)", re.IGNORECASE)
# As a parameter of a URL, or of a connection string of PostgreSQL's own.
_NAMED = re.compile(r"(?P<name>\b(?:ssl)?password\s*=\s*)(?:'[^']*'|[^\s&'\"]+)", re.IGNORECASE)


def masked_url(url: str) -> str:
    """A database's URL, or what somebody took for one, without its password."""
    return masked(_URL.sub(rf"\g<user>{MASK}", url))


def masked(sentence: str) -> str:
    """A sentence without the passwords of the URLs in it."""
    return _NAMED.sub(rf"\g<name>{MASK}", _IN_SENTENCE.sub(rf"\g<user>{MASK}", sentence))
