"""Accounts that changed in Salesforce: a description may hold line breaks, quotes and commas."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from hourglass.generate.draw import Draw
from hourglass.generate.words import LAST_NAMES, PLACES, STREETS
from hourglass.partition import Partition

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_INDUSTRIES = {
    "Technology": 24, "Manufacturing": 16, "Retail": 14, "Healthcare": 12, "Finance": 12, "Education": 8,
    "Energy": 6, "Government": 5, "Not For Profit": 3,
}  # fmt: skip
_TYPES = {"Prospect": 48, "Customer - Direct": 28, "Customer - Channel": 12, "Partner": 7, "Other": 5}
_SOURCES = {"Web": 38, "Phone Inquiry": 12, "Partner Referral": 18, "Purchased List": 10, "Event": 22}
_FORMS = ("GmbH", "Inc", "Ltd", "SA", "LLC", "AG")
_CURRENCIES = {"US": "USD", "DE": "EUR", "FR": "EUR", "ES": "EUR", "GB": "GBP", "JP": "JPY", "IN": "INR"}
_NOTES = (
    'Key contact says: "call back after the board meeting"',
    "Renewal due next quarter.\nDiscount agreed, see contract",
    "Moved offices, new address confirmed",
    "Line one\r\nLine two\r\nLine three, with a comma",
    "",
)


def _modified_before_it_was_made(record: dict[str, Any]) -> None:
    record["CreatedDate"] = _stamp(datetime.fromisoformat(record["SystemModstamp"]) + timedelta(days=1))


BREAK = {"modified_after_creation": _modified_before_it_was_made}


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct accounts, each once.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    for number in range(count):
        yield _account(draw, number)


def _account(draw: Draw, number: int) -> dict[str, Any]:
    company = f"{draw.choice(LAST_NAMES)} {draw.choice(LAST_NAMES)} {draw.choice(_FORMS)}"
    country = draw.weighted({code: weight for code, (weight, _) in PLACES.items()})
    _, city = draw.choice(PLACES[country][1])
    changed = draw.moment()
    created = changed - timedelta(days=draw.whole(0, 2000), seconds=draw.whole(1, 86_399))
    big = draw.money(2_000_000, spread=1.6, low=10_000, high=5e10)
    domain = company.lower().replace(" ", "-")
    return {
        "Id": _salesforce_id("001", draw, number),
        "Name": company,
        "Type": draw.weighted(_TYPES),
        "Industry": draw.weighted(_INDUSTRIES),
        "AnnualRevenue": big if draw.chance(0.7) else None,
        "CurrencyIsoCode": _CURRENCIES.get(country, "USD"),
        "NumberOfEmployees": int(big / 150_000) + 1 if draw.chance(0.8) else None,
        "Phone": f"+1 555 {draw.whole(100, 999)} {draw.whole(1000, 9999)}" if draw.chance(0.75) else None,
        "Website": f"https://www.{domain}.example" if draw.chance(0.8) else None,
        "BillingStreet": f"{draw.whole(1, 240)} {draw.choice(STREETS)}\nFloor {draw.whole(1, 20)}",
        "BillingCity": city,
        "BillingPostalCode": f"{draw.whole(0, 99_999):05d}",
        "BillingCountry": country,
        "AccountSource": draw.weighted(_SOURCES),
        "Rating": draw.choice(("Hot", "Warm", "Cold")) if draw.chance(0.4) else None,
        "Description": draw.choice(_NOTES) or None,
        "OwnerId": _salesforce_id("005", draw, draw.zipf(40)),
        "ParentId": _salesforce_id("001", draw, draw.zipf(500)) if draw.chance(0.1) else None,
        "LastActivityDate": f"{changed - timedelta(days=draw.whole(0, 90)):%Y-%m-%d}"
        if draw.chance(0.6)
        else None,
        "IsDeleted": draw.chance(0.01),
        "CreatedDate": _stamp(created),
        "LastModifiedDate": _stamp(changed),
        "SystemModstamp": _stamp(changed),
    }


def _salesforce_id(prefix: str, draw: Draw, number: int) -> str:
    """18 characters: the object's kind, the number in base 62, and what stands for the checksum."""
    digits = ""
    for _ in range(6):
        number, rest = divmod(number, len(_LETTERS))
        digits = _LETTERS[rest] + digits
    return f"{prefix}Hg0000{digits}AAA"


def _stamp(moment: datetime) -> str:
    """As Salesforce's API writes it: milliseconds that are always 000."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"
