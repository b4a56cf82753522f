"""Events as Google Analytics 4 exports them to BigQuery, to be loaded into `events_YYYYMMDD`.

The export stays in BigQuery, so these lines land nowhere: load them as JSON into the day's table.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain, islice, repeat
from typing import Any

from hourglass.generate import pools
from hourglass.generate.draw import Draw, Person
from hourglass.partition import Partition

_PLATFORMS = {"WEB": 55, "ANDROID": 27, "IOS": 18}
_BROWSERS = {"Chrome": 62, "Safari": 27, "Firefox": 6, "Edge": 5}
_SYSTEMS = {"WEB": ("Windows", "10"), "ANDROID": ("Android", "14"), "IOS": ("iOS", "18.1")}
_BRANDS = {"ANDROID": ("Google", "Pixel 8"), "IOS": ("Apple", "iPhone 15")}
_CONTINENTS = {
    "US": "Americas",
    "BR": "Americas",
    "MX": "Americas",
    "CA": "Americas",
    "IN": "Asia",
    "JP": "Asia",
}
_SOURCES = {
    ("google", "organic"): 45,
    ("(direct)", "(none)"): 35,
    ("newsletter", "email"): 12,
    ("social", "referral"): 8,
}
_PAGES = ("/", "/new", "/sale", "/search", "/help")
_HOST = "shop.example"


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct events of one day, session by session.

    Args:
        draw: Where random values come from.
        partition: The day.
        count: How many.
    """
    return islice(chain.from_iterable(_session(draw) for _ in repeat(None)), count)


def _session(draw: Draw) -> Iterator[dict[str, Any]]:
    person, at = pools.busy_person(draw), draw.moment()
    own = random.Random(f"ga4/{person.id}")
    platform = own.choices(list(_PLATFORMS), list(_PLATFORMS.values()))[0]
    first_touch = int(draw.partition.start.timestamp() - own.randint(1, 20_000_000)) * 1_000_000
    shared = {
        "event_date": f"{draw.partition.start:%Y%m%d}",
        "user_id": person.id if draw.chance(0.35) else None,
        "user_pseudo_id": f"{own.getrandbits(31)}.{own.getrandbits(31)}",
        "privacy_info": {"analytics_storage": "Yes", "ads_storage": "No", "uses_transient_token": "No"},
        "user_properties": [_entry("plan", "free", set_timestamp_micros=first_touch)],
        "user_first_touch_timestamp": first_touch,
        "user_ltv": {"revenue": round(own.uniform(0, 300), 2), "currency": "USD"},
        "device": _device(own, platform, person),
        "geo": _geo(person),
        "app_info": None if platform == "WEB" else {"id": "com.example.shop", "version": "4.2.0"},
        "traffic_source": _traffic(own),
        "stream_id": str(1000 + list(_PLATFORMS).index(platform)),
        "platform": platform,
    }
    number, session = own.randint(1, 40), int(at.timestamp())
    for order, step in enumerate(_steps(draw)):
        params = {"ga_session_id": session, "ga_session_number": number, **step.pop("params")}
        yield {
            **shared,
            **_logged(at, order),
            "event_params": [_entry(*pair) for pair in params.items()],
            **step,
        }
        at = draw.after(at, 30)


def _logged(at: datetime, order: int) -> dict[str, Any]:
    # Events of one session never share a microsecond, as the export's own do not.
    return {
        "event_timestamp": int(at.timestamp() * 1000) * 1000 + order,
        "event_bundle_sequence_id": order + 1,
        "event_server_timestamp_offset": 1500 + order,
    }


def _steps(draw: Draw) -> Iterator[dict[str, Any]]:
    page = f"https://{_HOST}{draw.choice(_PAGES)}"
    yield {"event_name": "session_start", "params": {"page_location": page, "engaged_session_event": 1}}
    for _ in range(draw.whole(1, 6)):
        seen = {"page_location": page, "page_title": "Shop", "engagement_time_msec": draw.whole(200, 60_000)}
        yield {"event_name": "page_view", "params": seen}
        page = f"https://{_HOST}{draw.choice(_PAGES)}"
    if not draw.chance(0.12):
        return
    product = pools.popular_product(draw)
    item: dict[str, Any] = {"item_id": product.id, "item_name": product.name, "item_brand": product.brand}
    item |= {"item_category": product.category, "price": float(product.price), "quantity": 1}
    for name in ("view_item", "add_to_cart"):
        yield {"event_name": name, "params": {"page_location": page, "currency": "USD"}, "items": [item]}
    if draw.chance(0.5):
        yield _purchase(draw, page, item)


def _purchase(draw: Draw, page: str, item: dict[str, Any]) -> dict[str, Any]:
    price, order = item["price"], draw.uuid()
    params = {"page_location": page, "currency": "USD", "value": price, "transaction_id": order}
    bought = {"total_item_quantity": 1, "unique_items": 1, "transaction_id": order}
    bought |= {"purchase_revenue": price, "purchase_revenue_in_usd": price}
    return {
        "event_name": "purchase",
        "params": params,
        "event_value_in_usd": price,
        "ecommerce": bought,
        "items": [{**item, "price_in_usd": price, "item_revenue_in_usd": price}],
    }


def _entry(key: str, value: str | float, **more: int) -> dict[str, Any]:
    """A parameter: the value stands in the one field of its type."""
    kind = (
        "string_value"
        if isinstance(value, str)
        else "int_value"
        if isinstance(value, int)
        else "double_value"
    )
    return {"key": key, "value": {kind: value, **more}}


def _device(own: random.Random, platform: str, person: Person) -> dict[str, Any]:
    system, version = _SYSTEMS[platform]
    brand, model = _BRANDS.get(platform, (None, None))
    found: dict[str, Any] = {
        "category": "desktop" if platform == "WEB" else "mobile",
        "mobile_brand_name": brand,
        "mobile_model_name": model,
        "operating_system": system,
        "operating_system_version": version,
        "language": f"{'pt' if person.country == 'BR' else 'en'}-{person.country.lower()}",
        "is_limited_ad_tracking": "No",
    }
    if platform == "WEB":
        browser = own.choices(list(_BROWSERS), list(_BROWSERS.values()))[0]
        found["web_info"] = {"browser": browser, "browser_version": "131.0", "hostname": _HOST}
    return found


def _geo(person: Person) -> Mapping[str, Any]:
    continent = _CONTINENTS.get(person.country, "Europe")
    return {"continent": continent, "country": person.country, "region": person.region, "city": person.city}


def _traffic(own: random.Random) -> Mapping[str, str]:
    source, medium = own.choices(list(_SOURCES), list(_SOURCES.values()))[0]
    return {"source": source, "medium": medium, "name": f"({medium})"}
