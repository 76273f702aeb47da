"""Random histories of a small shop: stock, documents and orders, changed in any order."""

from __future__ import annotations

import random

from lockstock.v1 import catalog_pb2 as pb
from lockstock_server.routing.past import Placed

from support.past_shop import PastShop

SKUS = ("book", "pen", "cup")
WAREHOUSES = ("a", "b", "c", "d", "e")
REGIONS = ("north", "south")
TIERS = pb.Tier.values()[1:]


def a_warehouse(draw: random.Random, name: str, **changes: object) -> pb.Warehouse:
    made = pb.Warehouse(
        warehouse=name,
        tier=draw.choice(TIERS),
        rank=draw.randint(0, 2),
        state=draw.choice(
            [pb.WAREHOUSE_STATE_ACTIVE] * 6 + [pb.WAREHOUSE_STATE_PAUSED, pb.WAREHOUSE_STATE_CLOSED]
        ),
    )
    if draw.random() < 0.3:
        made.assortment.categories.append("paper")
    if draw.random() < 0.3:
        made.assortment.skus.append("cup")
    if draw.random() < 0.7:
        made.location.latitude, made.location.longitude = draw.uniform(20, 40), draw.uniform(100, 120)
    for field, value in changes.items():
        setattr(made, field, value)
    return made


def a_shop(draw: random.Random, steps: int) -> PastShop:
    """Stock, documents and orders, changed in any order."""
    shop = PastShop()
    for sku in SKUS:
        shop.change("SKU", pb.Sku(sku=sku, category=draw.choice(["paper", ""])))
    for name in WAREHOUSES:
        shop.change("WAREHOUSE", a_warehouse(draw, name))
    for region in REGIONS:
        shop.change("REGION", pb.Region(region=region))
        shop.install(region, draw.sample(WAREHOUSES, draw.randint(1, 5)))
    for number in range(steps):
        match draw.randint(0, 9):
            case 0:
                shop.change("WAREHOUSE", a_warehouse(draw, draw.choice(WAREHOUSES)))
            case 1:
                shop.change("SKU", pb.Sku(sku=draw.choice(SKUS), category=draw.choice(["paper", ""])))
            case 2:
                at = pb.Coordinates(latitude=draw.uniform(20, 40), longitude=draw.uniform(100, 120))
                shop.change("REGION", pb.Region(region=draw.choice(REGIONS), centroid=at))
            case 3:
                shop.install(draw.choice(REGIONS), draw.sample(WAREHOUSES, draw.randint(1, 5)))
            case 4 | 5 | 6:
                kind = draw.choice(["OTHER_RECEIPT"] * 4 + ["RECORD_LOSS", "CLAIM_SHORT_PICK"])
                warehouse = "" if kind == "CLAIM_SHORT_PICK" else draw.choice(WAREHOUSES)
                shop.move(kind, draw.choice(SKUS), warehouse, draw.randint(1, 9))
            case _:
                listed = tuple(draw.sample(WAREHOUSES, draw.randint(1, 3)))
                region, warehouses = (draw.choice(REGIONS), ()) if draw.random() < 0.8 else ("", listed)
                lines = [(draw.choice(SKUS), draw.randint(1, 6)) for _ in range(draw.randint(1, 4))]
                shop.place(
                    Placed(f"order-{number}", 0, region, warehouses, draw.randint(0, 3)),
                    lines,
                    allow_partial=draw.random() < 0.3,
                    wanted=[line for line in range(1, 5) if draw.random() < 0.2],
                    channel=draw.choice(["web", "app"]),
                )
    return shop
