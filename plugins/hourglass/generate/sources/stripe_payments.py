"""Charges as Stripe's list API gives them: amounts in the smallest unit, times in seconds since 1970."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hourglass.generate import pools
from hourglass.generate.draw import Draw, Person
from hourglass.partition import Partition

_CURRENCIES = {"usd": 52, "eur": 28, "gbp": 12, "jpy": 5, "brl": 3}
_UNITS_OF_A_DOLLAR = {"usd": 100, "eur": 92, "gbp": 79, "jpy": 150, "brl": 560}
_BRANDS = {"visa": 55, "mastercard": 30, "amex": 9, "discover": 4, "jcb": 2}
_FUNDING = {"credit": 60, "debit": 34, "prepaid": 6}
_FAILURES = {
    "card_declined": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _refund_more_than_was_paid(record: dict[str, Any]) -> None:
    record["amount_refunded"] = record["amount"] + 1


def _capture_more_than_was_asked(record: dict[str, Any]) -> None:
    record["amount_captured"] = record["amount"] + 1


BREAK = {
    "refund_within_amount": _refund_more_than_was_paid,
    "capture_within_amount": _capture_more_than_was_asked,
}


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct charges.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    for _ in range(count):
        yield _charge(draw)


def _charge(draw: Draw) -> dict[str, Any]:
    person = pools.busy_person(draw)
    currency = draw.weighted(_CURRENCIES)
    amount = max(1, int(draw.money(38, low=1, high=20_000) * _UNITS_OF_A_DOLLAR[currency]))
    status = draw.weighted({"succeeded": 94, "failed": 5, "pending": 1})
    succeeded = status == "succeeded"
    captured = amount if succeeded and draw.chance(0.98) else 0
    refunded = _refunded(draw, captured)
    failure = draw.choice(list(_FAILURES)) if status == "failed" else None
    return {
        "id": _stripe_id("ch", draw),
        "object": "charge",
        "amount": amount,
        "amount_captured": captured,
        "amount_refunded": refunded,
        "balance_transaction": _stripe_id("txn", draw) if captured else None,
        "billing_details": _billing(draw, person),
        "captured": captured > 0,
        "created": int(draw.moment().timestamp()),
        "currency": currency,
        "customer": f"cus_{person.id.replace('-', '')[:14]}",
        "description": draw.sentence(2, 5) if draw.chance(0.3) else None,
        "disputed": succeeded and draw.chance(0.003),
        "failure_code": failure,
        "failure_message": _FAILURES[failure] if failure else None,
        "invoice": _stripe_id("in", draw) if draw.chance(0.2) else None,
        "livemode": True,
        "metadata": {"order_id": draw.uuid()},
        "outcome": _outcome(draw, status),
        "paid": succeeded,
        "payment_intent": _stripe_id("pi", draw),
        "payment_method": _stripe_id("pm", draw),
        "payment_method_details": _card(draw, person),
        "receipt_email": person.email if draw.chance(0.8) else None,
        "refunded": captured > 0 and refunded == amount,
        "statement_descriptor": None,
        "status": status,
    }


def _refunded(draw: Draw, captured: int) -> int:
    if not captured or not draw.chance(0.04):
        return 0
    return captured if draw.chance(0.7) else draw.whole(1, captured)


def _billing(draw: Draw, person: Person) -> dict[str, Any]:
    return {
        "address": {
            "city": person.city,
            "country": person.country,
            "line1": f"{draw.whole(1, 240)} High Street" if draw.chance(0.5) else None,
            "line2": None,
            "postal_code": f"{draw.whole(0, 99_999):05d}",
            "state": person.region,
        },
        "email": person.email,
        "name": f"{person.first_name} {person.last_name}",
        "phone": None,
    }


def _card(draw: Draw, person: Person) -> dict[str, Any]:
    brand = draw.weighted(_BRANDS)
    return {
        "type": "card",
        "card": {
            "brand": brand,
            "country": person.country,
            "exp_month": draw.whole(1, 12),
            "exp_year": draw.partition.start.year + draw.whole(0, 5),
            "fingerprint": person.id.replace("-", "")[:16],
            "funding": draw.weighted(_FUNDING),
            "last4": f"{draw.whole(0, 9999):04d}",
            "network": brand,
        },
    }


def _outcome(draw: Draw, status: str) -> dict[str, Any]:
    failed = status == "failed"
    score = min(99, int(draw.money(12, low=0, high=99)))
    return {
        "network_status": "declined_by_network" if failed else "approved_by_network",
        "reason": "generic_decline" if failed else None,
        "risk_level": "elevated" if score >= 65 else "normal",
        "risk_score": score,
        "seller_message": "The bank did not return any further details." if failed else "Payment complete.",
        "type": "issuer_declined" if failed else "authorized",
    }


def _stripe_id(kind: str, draw: Draw) -> str:
    return f"{kind}_" + "".join(draw.choice(_LETTERS) for _ in range(24))
