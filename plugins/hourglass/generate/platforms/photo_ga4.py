"""The photo-sharing app's events as Google Analytics 4 exports them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from hourglass.generate.record import Record

# What the app reports to Google Analytics for each of the SDK's event types.
NAMES = {
    "view": "screen_view",
    "click": "select_content",
    "react": "like",
    "share": "share",
    "post": "post_photo",
}
_SYSTEMS = {"ios": "iOS", "android": "Android"}


def ga4_row(event: Record, moment: datetime) -> Record:
    """One row of `events_YYYYMMDD`.

    Args:
        event: The event as the SDK has it.
        moment: When it happened.
    """
    place, device = event.get("location") or {}, event["device"]
    micros = int(moment.timestamp() * 1000) * 1000
    seconds = event.get("engagement_duration")
    params: dict[str, Any] = {"ga_session_id": micros // 1_800_000_000, "content_id": event["content_id"]}
    if seconds is not None:
        params["engagement_time_msec"] = int(seconds * 1000)
    pseudo = hashlib.sha256(f"{event['user_id']}/{device['model']}".encode()).hexdigest()[:20]
    return {
        "event_date": f"{moment:%Y%m%d}",
        "event_timestamp": micros,
        "event_name": NAMES[event["event_type"]],
        "event_params": [_param(name, value) for name, value in params.items()],
        "event_value_in_usd": event.get("event_revenue"),
        "event_bundle_sequence_id": int(event["event_id"][:8], 16),
        "user_id": event["user_id"],
        "user_pseudo_id": pseudo,
        "device": {
            "category": "tablet" if device["category"] == "tablet" else "mobile",
            "mobile_model_name": device["model"],
            "operating_system": _SYSTEMS[device["os"]],
            "operating_system_version": device["os_version"],
        },
        "geo": {name: place.get(name) for name in ("country", "region", "city")},
        "app_info": {"id": "com.example.photos", "version": "4.2.0"},
        "stream_id": "1001",
        "platform": device["os"].upper(),
    }


def _param(key: str, value: str | int) -> Record:
    return {"key": key, "value": {"string_value" if isinstance(value, str) else "int_value": value}}
