"""What generated records refer to: the same people, products and warehouses in all sources and partitions.

A customer is a person with an account: the ids of users and customers are the same, so that browsing, orders,
payments and support join without a mapping.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

from hourglass.generate import words
from hourglass.generate.draw import Draw, Person

USERS = 20_000
PRODUCTS = 500
WAREHOUSES = ("WH-BER", "WH-LON", "WH-DAL", "WH-SAO", "WH-BOM", "WH-TYO")
CENT = Decimal("0.01")

# Category: its share of the products, the median price, and what its products are.
CATEGORIES: dict[str, tuple[int, float, tuple[str, ...]]] = {
    "electronics": (22, 120.0, ("Headphones", "Speaker", "Charger", "Keyboard", "Camera", "Monitor")),
    "clothing": (24, 35.0, ("Shirt", "Jacket", "Jeans", "Dress", "Socks", "Sweater")),
    "home": (18, 45.0, ("Lamp", "Chair", "Blanket", "Kettle", "Shelf", "Mirror")),
    "sports": (13, 50.0, ("Yoga Mat", "Backpack", "Racket", "Helmet", "Tent", "Bottle")),
    "beauty": (12, 18.0, ("Cream", "Shampoo", "Perfume", "Soap", "Brush")),
    "books": (11, 14.0, ("Novel", "Cookbook", "Atlas", "Biography", "Guide")),
}
_BRANDS = ("Alder", "Birch", "Cedar", "Fjord", "Glade", "Harbor", "Juniper", "Lumen", "Meadow", "Quarry")
_STYLES = ("Basic", "Classic", "Compact", "Eco", "Light", "Max", "Mini", "Plus", "Pro", "Soft")
_FIRST_RELEASE = date(2018, 1, 1)
_LAST_RELEASE_DAYS = 5 * 365


@dataclass(frozen=True, slots=True)
class Product:
    """What an index stands for in the shop's catalog.

    Args:
        id: `P` and five digits.
        sku: The number on the label.
        name: Brand, style and kind.
        category: One of `CATEGORIES`.
        brand: Who makes it.
        price: Without discount, in USD.
        cost: What the shop pays for it, in USD.
        weight_grams: With its box.
        released_on: Since when it is sold.
        is_active: Whether it is still sold.
    """

    id: str
    sku: str
    name: str
    category: str
    brand: str
    price: Decimal
    cost: Decimal
    weight_grams: int
    released_on: date
    is_active: bool


@lru_cache(maxsize=4 * PRODUCTS)
def product(index: int) -> Product:
    """The `index`-th product; the small ones are the popular ones."""
    own = random.Random(f"product/{index}")
    category = own.choices(list(CATEGORIES), [share for share, _, _ in CATEGORIES.values()])[0]
    _, median, kinds = CATEGORIES[category]
    brand, style, kind = own.choice(_BRANDS), own.choice(_STYLES), own.choice(kinds)
    # Prices end in .99 or .49, as on price tags.
    whole = max(int(median * own.lognormvariate(0, 0.6)), 1)
    price = Decimal(whole) + own.choice((Decimal("0.99"), Decimal("0.49")))
    cost = (price * Decimal(own.randint(40, 75)) / 100).quantize(CENT)
    return Product(
        id=product_id(index),
        sku=f"{brand[:3].upper()}-{category[:3].upper()}-{index:05d}",
        name=f"{brand} {style} {kind}",
        category=category,
        brand=brand,
        price=price,
        cost=cost,
        weight_grams=max(int(own.lognormvariate(6.2, 0.9)), 20),
        released_on=_FIRST_RELEASE + timedelta(days=own.randrange(_LAST_RELEASE_DAYS)),
        is_active=own.random() < 0.95,
    )


def product_id(index: int) -> str:
    """The id of the `index`-th product."""
    return f"P{index:05d}"


def popular_product(draw: Draw) -> Product:
    """A product, in proportion to how often people look for it."""
    return product(draw.zipf(PRODUCTS))


@lru_cache(maxsize=USERS)
def person(index: int) -> Person:
    """The `index`-th user and customer."""
    return Draw.person(index)


def busy_person(draw: Draw) -> Person:
    """A user or customer; a few come far more often than the others."""
    return person(draw.zipf(USERS, exponent=0.6))


def street(index: int) -> str:
    """Where the `index`-th person lives: street and number."""
    own = random.Random(f"street/{index}")
    return f"{own.randint(1, 240)} {own.choice(words.STREETS)}"
