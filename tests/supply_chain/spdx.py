"""SPDX licence expressions: whether one can be met with the licences that are allowed."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"\s*(\(|\)|[^\s()]+)")
_NO_LICENCE: Final = {"", ")", "AND", "OR", "WITH"}


class ExpressionError(Exception):
    """It is no SPDX expression."""


def can_be_met(expression: str, licences: frozenset[str]) -> bool:
    """Whether it can be met. Raises ExpressionError where it is none."""
    reader = _Reader(expression, licences)
    met = reader.either()
    if reader.next:
        raise ExpressionError(expression)
    return met


class _Reader:
    """Reads an expression once, from left to right: OR binds loosest, WITH tightest."""

    def __init__(self, expression: str, licences: frozenset[str]) -> None:
        self._expression = expression
        # Before SPDX had OR, crates wrote a slash.
        self._words = _WORD.findall(expression.replace("/", " OR "))
        self._licences = licences

    @property
    def next(self) -> str:
        """The word that comes; empty at the end."""
        return self._words[0] if self._words else ""

    def either(self) -> bool:
        met = self._all()
        while self._take("OR"):
            # Not short-circuited: what stands behind must be read all the same.
            met = self._all() or met
        return met

    def _all(self) -> bool:
        met = self._one()
        while self._take("AND"):
            met = self._one() and met
        return met

    def _one(self) -> bool:
        if self._take("("):
            met = self.either()
            if not self._take(")"):
                raise ExpressionError(self._expression)
            return met
        licence = self._licence()
        if self._take("WITH"):
            licence = f"{licence} WITH {self._licence()}"
        return licence in self._licences

    def _licence(self) -> str:
        if self.next in _NO_LICENCE:
            raise ExpressionError(self._expression)
        return str(self._words.pop(0))

    def _take(self, word: str) -> bool:
        """Whether this word comes; it is read then."""
        if self.next != word:
            return False
        del self._words[0]
        return True
