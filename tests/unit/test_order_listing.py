"""What ListOrders is asked: the form of its filters, and tokens that are good for the same filters only."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from lockstock.v1 import orders_pb2 as pb
from lockstock_server.catalog import pages
from lockstock_server.orders.listing import Place, read
from lockstock_server.refusals import Refused

TOO_LONG = "x" * 65
UNKNOWN: Any = 99


def hashed(buyer: str) -> str:
    return f"hash of {buyer}"


def asked(**fields: Any) -> pb.ListOrdersRequest:
    return pb.ListOrdersRequest(**fields)


BAD = [
    (asked(page_size=-1), "NUMBER_OUT_OF_RANGE", {"field": "page_size", "value": "-1", "limit": "0 to 1000"}),
    (
        asked(page_size=1_001),
        "NUMBER_OUT_OF_RANGE",
        {"field": "page_size", "value": "1001", "limit": "0 to 1000"},
    ),
    (asked(page_token="nonsense"), "PAGE_TOKEN_INVALID", {}),  # noqa: S106 - no password
    (
        asked(states=[pb.ORDER_STATE_PAID, pb.ORDER_STATE_UNSPECIFIED]),
        "ENUM_UNKNOWN",
        {"field": "states[1]", "value": "0"},
    ),
    (asked(states=[UNKNOWN]), "ENUM_UNKNOWN", {"field": "states[0]", "value": "99"}),
    (asked(channel=TOO_LONG), "ID_INVALID", {"field": "channel"}),
    (asked(sku="a\nb"), "ID_INVALID", {"field": "sku"}),
    (asked(warehouse=TOO_LONG), "ID_INVALID", {"field": "warehouse"}),
    (asked(region=TOO_LONG), "ID_INVALID", {"field": "region"}),
    (asked(buyer=TOO_LONG), "TEXT_TOO_LONG", {"field": "buyer", "limit": "64"}),
    (asked(created_from=Timestamp(nanos=-1)), "DURATION_OUT_OF_RANGE", {"field": "created_from"}),
    (asked(created_before=Timestamp(seconds=10**15)), "DURATION_OUT_OF_RANGE", {"field": "created_before"}),
]


@pytest.mark.parametrize(("request_", "reason", "metadata"), BAD)
def test_a_filter_of_wrong_form_is_refused(
    request_: pb.ListOrdersRequest, reason: str, metadata: dict[str, str]
) -> None:
    with pytest.raises(Refused) as refused:
        read(request_, hashed)
    assert refused.value.reason == reason
    assert metadata.items() <= refused.value.metadata.items()


def test_a_buyer_is_looked_for_by_the_hash_that_is_kept_and_nobody_by_none() -> None:
    assert read(asked(buyer="ann"), hashed).filters.buyer == "hash of ann"
    assert not read(asked(), hashed).filters.buyer


def test_times_between_two_microseconds_are_those_of_the_next_one() -> None:
    found = read(
        asked(created_from=Timestamp(seconds=1, nanos=1), created_before=Timestamp(seconds=2, nanos=5_000)),
        hashed,
    )
    assert found.filters.created_from == 1_000_001
    assert found.filters.created_before == 2_000_005


def test_a_token_goes_on_after_its_place_under_the_same_filters_and_any_page_size() -> None:
    place = Place(17, "order 1")
    token = read(asked(channel="web", page_size=2), hashed).token(place)
    again = read(asked(channel="web", page_size=5, page_token=token, min_sequence=9), hashed)
    assert (again.after, again.size) == (place, 5)
    assert read(asked(), hashed).after is None
    assert read(asked(), hashed).size == pages.PAGE_SIZE_DEFAULT


@pytest.mark.parametrize("other", [asked(), asked(channel="app"), asked(channel="web", sku="book")])
def test_a_token_of_other_filters_is_refused(other: pb.ListOrdersRequest) -> None:
    other.page_token = read(asked(channel="web"), hashed).token(Place(17, "o"))
    with pytest.raises(Refused) as refused:
        read(other, hashed)
    assert refused.value.reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize("after", ["", "o", "-1 o", "9" * 19 + " o", "9" * 5_000 + " o", "\u00b2 o"])
def test_a_token_that_names_no_place_is_refused(after: str) -> None:
    listing = read(asked(), hashed).listing
    with pytest.raises(Refused) as refused:
        read(asked(page_token=pages.token(listing, after)), hashed)
    assert refused.value.reason == "PAGE_TOKEN_INVALID"
