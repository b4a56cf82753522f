"""The refine job's peer: the same lines judged, deduplicated and written as Parquet by DuckDB.

It is written for the generated events alone. It does what the job does (the same counts are asserted), without a
table format, a cluster or a schema file. Run as `python -m benchmarks.refine_duckdb FOLDER OUT`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import csv

from benchmarks.events import SCHEMA, START

TYPES = {
    "STRING": "VARCHAR",
    "JSON": "JSON",
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "NUMERIC": "DECIMAL(38,9)",
    "BOOL": "BOOLEAN",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP",
}
JSON_TYPES = {
    "STRING": ["VARCHAR"],
    "INT64": ["BIGINT", "UBIGINT"],
    "FLOAT64": ["BIGINT", "UBIGINT", "DOUBLE"],
    "NUMERIC": ["BIGINT", "UBIGINT", "DOUBLE"],
    "BOOL": ["BOOLEAN"],
    "DATE": ["VARCHAR"],
    "TIMESTAMP": ["VARCHAR"],
    "RECORD": ["OBJECT"],
}


def _shape(fields: list[dict[str, Any]]) -> dict[str, Any]:
    shape: dict[str, Any] = {}
    for field in fields:
        inner: Any = _shape(field["fields"]) if "fields" in field else TYPES[field["type"]]
        shape[field["name"]] = [inner] if field["mode"] == "REPEATED" else inner
    return shape


def _leaves(fields: list[dict[str, Any]], at: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = []
    for field in fields:
        path = f"{at}.{field['name']}" if at else field["name"]
        if field["type"] != "JSON":
            found.append((path, field))
        found += _leaves(field.get("fields", []), path)
    return found


def _lines(path: Path, rank: int) -> pa.Table:
    """One object's lines; a line that is not UTF-8 comes as NULL with its bytes beside it."""
    raw = csv.read_csv(
        path,
        read_options=csv.ReadOptions(column_names=["raw"], block_size=16 << 20),
        parse_options=csv.ParseOptions(delimiter="\x01", quote_char=False, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(column_types={"raw": pa.binary()}, strings_can_be_null=False),
    )
    texts, broken = [], []
    for chunk in raw["raw"].chunks:
        try:
            texts.append(chunk.cast(pa.string()))
            broken.append(pa.nulls(len(chunk), pa.binary()))
        except pa.ArrowInvalid:
            values = [_decoded(value) for value in chunk.to_pylist()]
            texts.append(pa.array([v if isinstance(v, str) else None for v in values], pa.string()))
            broken.append(pa.array([None if isinstance(v, str) else v for v in values], pa.binary()))
    count = raw.num_rows
    return pa.table(
        {
            "line": pa.chunked_array(texts, pa.string()),
            "broken": pa.chunked_array(broken, pa.binary()),
            "number": pa.array(range(1, count + 1), pa.int64()),
            "object": pa.array([rank] * count, pa.int32()),
        }
    )


def _decoded(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _why(line: str) -> str:
    """Why a text is not one JSON value."""
    try:
        json.JSONDecoder().raw_decode(line)
    except ValueError:
        return "not_json"
    return "trailing_data"


def _unknown(line: str) -> str:
    row = json.loads(line)
    known = {field["name"]: field for field in SCHEMA}
    kept = {key: value for key, value in row.items() if key not in known}
    for key, field in known.items():
        if "fields" in field and isinstance(row.get(key), dict):
            names = {inner["name"] for inner in field["fields"]}
            inside = {k: v for k, v in row[key].items() if k not in names}
            kept |= {key: inside} if inside else {}
    return json.dumps(kept)


def _judge() -> str:
    leaves = _leaves(SCHEMA)
    paths = ", ".join(f"'$.{path}'" for path, _ in leaves)
    wrong = []
    for number, (path, field) in enumerate(leaves, 1):
        allowed = ["ARRAY"] if field["mode"] == "REPEATED" else JSON_TYPES[field["type"]]
        names = ", ".join(f"'{name}'" for name in [*allowed, "NULL"])
        wrong.append(f"types[{number}] NOT IN ({names})")
        if field["type"] in ("DATE", "TIMESTAMP"):
            wrong.append(f"(types[{number}] = 'VARCHAR' AND j.{path} IS NULL)")
    required = " OR ".join(f"j.{f['name']} IS NULL" for f in SCHEMA if f["mode"] == "REQUIRED")
    records = [f for f in SCHEMA if "fields" in f]
    known = json.dumps([f["name"] for f in SCHEMA]).replace('"', "'")
    unnamed = [f"len(list_filter(top, lambda k: NOT list_contains({known}, k))) > 0"]
    for number, field in enumerate(records, 1):
        names = json.dumps([f["name"] for f in field["fields"]]).replace('"', "'")
        unnamed.append(f"len(list_filter(inside[{number}], lambda k: NOT list_contains({names}, k))) > 0")
    inside = ", ".join(f"'$.{f['name']}'" for f in records)
    return f"""
        CREATE TABLE judged AS
        WITH looked AS (SELECT *, json_valid(line) AS valid FROM lines),
        typed AS (SELECT *, CASE WHEN valid THEN json_type(line) END AS kind FROM looked),
        parsed AS (
            SELECT object, number, line, broken, valid, kind,
                CASE WHEN kind = 'OBJECT' THEN json_type(line, [{paths}]) END AS types,
                CASE WHEN kind = 'OBJECT' THEN json_transform(line, '{json.dumps(_shape(SCHEMA))}') END AS j,
                CASE WHEN kind = 'OBJECT' THEN json_keys(line) END AS top,
                CASE WHEN kind = 'OBJECT' THEN json_keys(line, [{inside}]) END AS inside
            FROM typed),
        reasoned AS (
            SELECT *, CASE
                WHEN broken IS NOT NULL THEN 'invalid_utf8'
                WHEN trim(line) = '' THEN 'blank_line'
                WHEN NOT valid THEN why(line)
                WHEN kind <> 'OBJECT' OR {" OR ".join(wrong)} OR abs(j.geo.lat) = 'inf' THEN 'wrong_type'
                WHEN {required} OR list_position(j.tags, NULL) IS NOT NULL THEN 'missing_required'
                WHEN j.event_ts < TIMESTAMP '{START:%Y-%m-%d %H:%M:%S}' - INTERVAL 604800 SECOND
                    OR j.event_ts >= TIMESTAMP '{START:%Y-%m-%d %H:%M:%S}' + INTERVAL 3900 SECOND
                    THEN 'event_time_out_of_range'
                WHEN NOT coalesce(j.geo.lat BETWEEN -90 AND 90, true) THEN 'on_earth'
            END AS reason,
            coalesce({" OR ".join(unnamed)}, false) AS unnamed
            FROM parsed)
        SELECT object, number, j, reason, unnamed,
            CASE WHEN reason IS NOT NULL THEN coalesce(broken, encode(line)) END AS raw,
            CASE WHEN reason IS NULL AND unnamed THEN unknown(line) END AS unknown_fields
        FROM reasoned"""


def refine(folder: Path, out: Path) -> dict[str, Any]:
    """Refine the generated objects.

    Args:
        folder: where they are.
        out: where the Parquet files go.

    Returns:
        The counts, in the outcome file's words.
    """
    objects = sorted(folder.glob("*.json.gz"))
    connection = duckdb.connect(config={"threads": 2})
    connection.create_function("why", _why, [str], str)
    connection.create_function("unknown", _unknown, [str], str)
    lines = pa.concat_tables([_lines(path, rank) for rank, path in enumerate(objects)])
    total = lines.num_rows
    connection.register("lines", lines)
    connection.execute(_judge())
    connection.unregister("lines")
    del lines
    connection.execute("""
        CREATE TABLE losers AS SELECT object, number FROM (
            SELECT object, number, row_number() OVER (PARTITION BY j.event_id ORDER BY object, number) AS place
            FROM judged WHERE reason IS NULL) WHERE place > 1""")
    names = "[" + ", ".join(f"'{path.as_uri()}'" for path in objects) + "]"
    hour = f"TIMESTAMP '{START:%Y-%m-%d %H:%M:%S}' AS landing_hour"
    connection.execute(f"""
        COPY (SELECT unnest(j), TRY_CAST(split_part(j.app.version, '.', 1) AS BIGINT) AS app_major, {hour},
                CAST(j.event_ts AS DATE) AS event_date, {names}[object + 1] AS source_object, number AS source_line,
                unknown_fields
            FROM judged ANTI JOIN losers USING (object, number) WHERE reason IS NULL)
        TO '{out / "silver.parquet"}' (FORMAT parquet, COMPRESSION zstd)""")
    connection.execute(f"""
        COPY (SELECT {hour}, reason, raw, {names}[object + 1] AS source_object, number AS source_line
            FROM judged WHERE reason IS NOT NULL)
        TO '{out / "quarantine.parquet"}' (FORMAT parquet, COMPRESSION zstd)""")
    return _counts(connection, total, out)


def _counts(connection: duckdb.DuckDBPyConnection, total: int, out: Path) -> dict[str, Any]:
    def rows(query: str) -> list[Any]:
        return connection.execute(query).fetchall()

    silver = rows(f"SELECT count(*), count(unknown_fields) FROM '{out / 'silver.parquet'}'")[0]
    reasons = Counter(
        dict(rows(f"SELECT reason, count(*) FROM '{out / 'quarantine.parquet'}' GROUP BY reason"))
    )
    counts = {
        "lines": total,
        "silver": silver[0],
        "quarantined": reasons.total(),
        "duplicates": rows("SELECT count(*) FROM losers")[0][0],
    }
    return {"counts": counts, "reasons": dict(reasons), "unknown": silver[1]}


if __name__ == "__main__":
    result = refine(Path(sys.argv[1]), Path(sys.argv[2]))
    (Path(sys.argv[2]) / "counts.json").write_text(json.dumps(result))
