"""How a buyer behaves: seeded, so that the same seed gives the same crowd."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

SKU = "FLASH"
REGION = "EVERYWHERE"
HOLD_SECONDS = 4.0
"""A lock that is never paid lapses after this: short, so that its unit is sold again within the sale."""


class Behaviour(StrEnum):
    """What a buyer does once a unit is locked for them."""

    PAYS = "PAYS"
    PAYS_TWICE = "PAYS_TWICE"
    """Pays with two different request ids; only one may count."""
    RETRIES = "RETRIES"
    """Sends each request a second time, with the same request id, although it was answered."""
    CANCELS = "CANCELS"
    NEVER_PAYS = "NEVER_PAYS"
    CANCELS_LATE = "CANCELS_LATE"
    """Pays, then cancels before shipping: the unit is sold again."""


WEIGHTS = {
    Behaviour.PAYS: 60,
    Behaviour.PAYS_TWICE: 8,
    Behaviour.RETRIES: 12,
    Behaviour.CANCELS: 8,
    Behaviour.NEVER_PAYS: 8,
    Behaviour.CANCELS_LATE: 4,
}


@dataclass(frozen=True, slots=True)
class Buyer:
    """One buyer. Wants one unit."""

    number: int
    behaviour: Behaviour

    @property
    def reservation(self) -> str:
        """The reservation they will try to get."""
        return f"buyer-{self.number}"


def crowd(seed: int, buyers: int, of: int, worker: int) -> Iterator[Buyer]:
    """The buyers of one worker out of `of`; all workers together are the whole crowd."""
    draw = random.Random(seed)  # noqa: S311 - a seeded crowd, nothing secret
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    for number in range(buyers):
        behaviour = draw.choices(kinds, weights)[0]
        if number % of == worker:
            yield Buyer(number, behaviour)
