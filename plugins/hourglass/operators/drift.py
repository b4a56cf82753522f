"""Schema drift at the gate: what of a partition's data its schema does not name, refuses or misses."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.config.versions import later_versions
from hourglass.partition.drift import Drift, accepting, data_path, notice, values_at

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from hourglass.config import Platform, Source
    from hourglass.partition import Partition

SAMPLE = 200  # rows whose values tell what a field looks like
_UNKNOWN = "SELECT unknown_fields AS text FROM `{table}` WHERE unknown_fields IS NOT NULL LIMIT {sample}"
_REFUSED = """
SELECT
    reason,
    field,
    COUNT(*) AS row_count,
    ARRAY_AGG(SAFE_CONVERT_BYTES_TO_STRING(raw_line) IGNORE NULLS LIMIT 20) AS examples
FROM `{table}`
WHERE reason IN ('wrong_type', 'missing_required') AND field IS NOT NULL
GROUP BY reason, field
HAVING COUNT(*) > {few}
ORDER BY row_count DESC, field
"""


def drift_notices(
    client: Client, platform: Platform, source: Source, partition: Partition, refined: dict[str, Any]
) -> list[str]:
    """What to tell people of a candidate's schema drift; nothing where there is none.

    Args:
        client: The BigQuery client.
        platform: The deployment's names.
        source: The source.
        partition: The candidate's partition.
        refined: What the refine task returned; empty for a partition that is not refined.
    """
    drift = _drift(client, platform, source, partition, refined)
    if not drift:
        return []
    accepted_by = accepting(drift, later_versions(source, platform.include))
    return notice(drift, source.schema.version, accepted_by)


def _drift(
    client: Client, platform: Platform, source: Source, partition: Partition, refined: dict[str, Any]
) -> Drift:
    flows, values = bq.flows(source), defaultdict[str, list[Any]](list)
    unknown = refined.get("unknown_fields") or {}
    if unknown:
        table = flows["silver"].candidate(platform, source, partition)
        rows = client.query(_UNKNOWN.format(table=table, sample=SAMPLE)).result()
        documents = _documents(row["text"] for row in rows)
        for path in unknown:
            values[path] += [v for document in documents for v in values_at(document, path)]
    reasons = refined.get("reasons") or {}
    # A bad line now and then is no drift: as many as the gate would stop for are.
    few = source.file.monitoring.quarantine.rate * (refined.get("counts") or {}).get("lines", 0)
    found: dict[str, dict[str, int]] = {"wrong_type": {}, "missing_required": {}}
    if not found.keys().isdisjoint(reasons):
        table = flows["quarantine"].candidate(platform, source, partition)
        fields = [f.to_spec() for f in source.schema.fields]
        for row in client.query(_REFUSED.format(table=table, few=few)).result():
            found[row["reason"]][row["field"]] = row["row_count"]
            if row["reason"] == "wrong_type":
                path = data_path(fields, row["field"])
                values[row["field"]] += [v for d in _documents(row["examples"]) for v in values_at(d, path)]
    return Drift(unknown, found["wrong_type"], found["missing_required"], values)


def _documents(texts: Iterable[str]) -> list[Any]:
    """What of some texts is JSON; a line of CSV is none."""
    found = []
    for text in texts:
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found
