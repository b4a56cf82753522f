"""The shape that the platforms' onboarding document fixes, one file a pattern, with no key of Hourglass's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hourglass.config import Source
from hourglass.config.loader import load_source_file, load_sources
from hourglass.config.source import digest
from hourglass.partition import Manifest, Partition, SourceObject

CANONICAL = Path(__file__).parent / "canonical"
FILES = {
    yaml.safe_load(text)["source_id"]: text
    for path in sorted(CANONICAL.glob("*.yaml"))
    for text in [path.read_text("utf-8")]
}
PATTERNS = {yaml.safe_load(text)["ingestion"]["pattern"]: source_id for source_id, text in FILES.items()}


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOURGLASS_RAW_BUCKET", "company-raw")
    for folder in ("sources", "schemas"):
        (tmp_path / folder).mkdir()
    for source_id, text in FILES.items():
        (tmp_path / f"sources/{source_id}.yaml").write_text(text)
        schema = (CANONICAL / "schema.json").read_text("utf-8").replace("SOURCE", source_id)
        (tmp_path / f"schemas/{source_id}.json").write_text(schema)
    return tmp_path


def load(include: Path, source_id: str) -> Source:
    return load_source_file(include / f"sources/{source_id}.yaml", include)


def edit(include: Path, source_id: str, old: str, new: str) -> list[str]:
    """Change one place of one file; what is said of it."""
    path = include / f"sources/{source_id}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    return [str(p) for p in load_sources(include).problems]


def edit_schema(include: Path, name: str, **more: Any) -> list[str]:
    path = include / f"schemas/{name}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    return [str(p) for p in load_sources(include).problems]


def test_every_pattern_of_the_document_loads_unchanged(include: Path) -> None:
    assert set(PATTERNS) == {
        "batch_file",
        "streaming_api",
        "database_cdc",
        "cloud_transfer",
        "event_streaming",
    }
    assert load_sources(include).problems == []
    assert len(load_sources(include).sources) == 5


DAY = "year=2021/month=07/day=21/"


@pytest.mark.parametrize(
    ("source_id", "key", "prefixes"),
    [
        ("salesforce_exports", "2021-07-21T02", ["salesforce_exports/"]),
        ("stripe_payments", "2021-07-21T06", [f"stripe_payments/{DAY}hour=06/"]),
        (
            "postgres_orders",
            "2021-07-21T06",
            ["postgres_orders/orders/2021/07/21/06/", "postgres_orders/order_items/2021/07/21/06/"],
        ),
        ("aws_data_lake", "2021-07-21T12", [f"aws_data_lake/{DAY}hour=12/"]),
        ("iot_sensors", "2021-07-21T06", ["iot_sensors/2021/07/21/06/"]),
    ],
)
def test_a_pattern_says_where_its_partitions_lie(
    include: Path, source_id: str, key: str, prefixes: list[str]
) -> None:
    source = load(include, source_id)
    partition = Partition.parse(key, source.grain)
    assert source.prefixes(partition) == ("company-raw", prefixes)
    assert source.by_creation_time == (source_id == "salesforce_exports")
    assert source.location == f"gs://company-raw/{source_id}/"


@pytest.mark.parametrize(
    ("cron", "key", "end"),
    [
        ("*/15 * * * *", "2021-07-21T06:45", "2021-07-21T07:00:00Z"),
        ("0 2 * * *", "2021-07-21T02", "2021-07-22T02:00:00Z"),
        ("0 */6 * * *", "2021-07-21T18", "2021-07-22T00:00:00Z"),
        ("0 0 * * *", "2021-07-21", "2021-07-22T00:00:00Z"),
    ],
)
def test_any_cron_cuts_time(include: Path, cron: str, key: str, end: str) -> None:
    assert edit(include, "salesforce_exports", '"0 2 * * *"', f'"{cron}"') == []
    source = load(include, "salesforce_exports")
    partition = Partition.parse(key, source.grain)
    spec = source.refine_spec(Manifest.freeze(source.id, key, "b", [SourceObject("a.csv", 1, 2)]), partition)
    assert (spec["partition"]["key"], spec["partition"]["end"]) == (key, end)


def test_the_spec_says_how_to_read(include: Path) -> None:
    def spec(source_id: str) -> dict[str, Any]:
        source = load(include, source_id)
        return source.refine_settings(Partition.containing(MOMENT, source.grain))

    csv = {"header": True, "delimiter": ",", "quote": '"', "escape": None, "null_value": ""}
    assert spec("salesforce_exports")["format"] == {"type": "csv", "compression": "none", "csv": csv}
    assert spec("aws_data_lake")["format"] == {"type": "parquet", "compression": "none"}
    assert [spec(s)["validation"] for s in ("postgres_orders", "iot_sensors")] == ["permissive", "strict"]
    edit(include, "iot_sensors", "window_size: 60s", "window_size: 60s\n  multiline: true")
    assert spec("iot_sensors")["format"]["type"] == "json_array"
    pii = "    - pii: {hash: [email], drop: [items.sku], mask: []}\n  silver_to_gold:"
    edit(include, "iot_sensors", "  silver_to_gold:", pii)
    assert spec("iot_sensors")["pii"] == [
        {"field": "email", "method": "hash"},
        {"field": "items.sku", "method": "drop"},
    ]
    rules = [spec("salesforce_exports")["rules"][0][key] for key in ("name", "severity")]
    assert rules == ["valid_email_email", "critical"]
    schema = json.loads((include / "schemas/iot_sensors.json").read_text())
    schema["fields"][1]["source_path"] = "contact.mail"
    assert edit_schema(include, "iot_sensors", fields=schema["fields"]) == []
    assert spec("iot_sensors")["schema"]["fields"][1]["source_path"] == "contact.mail"


MOMENT = Partition.parse("2021-07-21T06").start


def test_set_level_rules_are_the_gates_and_not_the_jobs(include: Path) -> None:
    rules = (
        "{field: email, check: valid_email, severity: warning}\n"
        "          - {check: unique, fields: [id, email]}\n"
        "          - {field: id, check: referential, table: silver.iot_sensors}"
    )
    assert edit(include, "salesforce_exports", "{field: email, check: valid_email}", rules) == []
    source = load(include, "salesforce_exports")
    names = [(r.reason, r.key) for r in source.file.set_rules]
    assert names == [("unique_id_email", ["id", "email"]), ("referential_id", ["id"])]
    spec = source.refine_settings(Partition.containing(MOMENT, source.grain))
    assert [(r["name"], r["severity"]) for r in spec["rules"]] == [
        ("valid_email_email", "warning"),
        ("positive_number_amount", "critical"),
    ]


def test_dead_letters_enter_the_manifest_marked(include: Path) -> None:
    letters = "window_size: 60s\n  dead_letter: gs://company-raw/dead/iot_sensors/"
    assert edit(include, "iot_sensors", "window_size: 60s", letters) == []
    source = load(include, "iot_sensors")
    partition = Partition.parse("2021-07-21T06")
    bucket, prefixes = source.prefixes(partition)
    assert prefixes == ["iot_sensors/2021/07/21/06/", "dead/iot_sensors/2021/07/21/06/"]
    plain, dead = (SourceObject("a", 1, 2, dead_letter=mark) for mark in (False, True))
    whole = Manifest.freeze(source.id, partition.key, bucket, [dead])
    assert Manifest.from_json(whole.to_json()) == whole
    assert whole.hash != Manifest.freeze(source.id, partition.key, bucket, [plain]).hash
    assert "dead_letter" not in Manifest.freeze(source.id, partition.key, bucket, [plain]).to_json()
    specs = [
        source.refine_spec(Manifest.freeze(source.id, partition.key, bucket, [o]), partition)
        for o in (plain, dead)
    ]
    assert [s["manifest"]["objects"][0].get("dead_letter") for s in specs] == [None, True]
    assert digest(specs[0]) != digest(specs[1])


def test_the_bucket_of_sources_without_a_location_is_the_deployments(
    include: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOURGLASS_RAW_BUCKET")
    monkeypatch.setenv("HOURGLASS_PROJECT", "acme-data")
    assert load(include, "iot_sensors").location == "gs://acme-data-hourglass-raw/iot_sensors/"


SALES, STRIPE, ORDERS = "salesforce_exports", "stripe_payments", "postgres_orders"
LAKE, IOT = "aws_data_lake", "iot_sensors"
EMAIL, QUALITY = "{field: email, check: valid_email}", "    - data_quality:"
WINDOW, AVERAGE = "window_size: 60s", "avg(amount) as average"
NAMED, MONITORING = "gold.salesforce_exports", "monitoring:"


@pytest.mark.parametrize(
    ("source_id", "old", "new", "says"),
    [
        (STRIPE, "  poll_interval: 60s\n", "", "either poll_interval or webhook_path"),
        (STRIPE, "poll_interval: 60s", "webhook_path: /stripe\n  poll_interval: 60s", "keep one"),
        (STRIPE, "poll_interval: 60s", "poll_interval: 0s", "at least 1s"),
        (STRIPE, "https://api", "http://api", "not an https URL"),
        (STRIPE, "https://api", "https://me:pass@api", "plain text"),
        (STRIPE, "/v1/charges", "/v1/charges?api_key=abcdefgh", "plain text"),
        (STRIPE, "stripe-api-key", "sk_live_abcdefghijklmnop", "plain text"),
        (STRIPE, "  secret_name: stripe-api-key\n", "", "needs secret_name"),
        (STRIPE, "auth_type: bearer_token", "auth_type: none", "needs auth_type"),
        (STRIPE, "auth_type: bearer_token", "auth_type: basic", "allowed: bearer_token, none"),
        (STRIPE, "connector_type:", "tables:", "belongs to database_cdc, not to streaming_api"),
        (ORDERS, "[orders, order_items]", "[]", "at least 1"),
        (ORDERS, "[orders, order_items]", "[orders, orders]", "twice"),
        (ORDERS, "[orders, order_items]", "[orders; drop]", "write a table's name"),
        (ORDERS, "postgresql", "mysql", "allowed: postgresql"),
        (ORDERS, "  connection_profile: orders-postgres\n", "", "'connection_profile' is missing"),
        (LAKE, "destination:", "location: gs://company-raw/x/\n  destination:", "same thing"),
        (LAKE, "destination: gs", "destination: s3", "write gs://bucket/prefix/"),
        (LAKE, "partner-data-lake", "s3://partner-data-lake", "the bucket's name alone"),
        (LAKE, "exports/events/", "/exports/", "without a / in front"),
        (LAKE, '  schedule: "0 */6 * * *"\n', "", "'schedule' is missing"),
        (LAKE, "format: parquet", "format: parquet\n  compression: gzip", "compresses inside"),
        (LAKE, "format: parquet", "format: csv\n  csv: {delimiter: ;;}", "at most 1 character"),
        (LAKE, "format: parquet", "format: avro\n  csv: {header: true}", "csv is for format: csv"),
        (LAKE, "format: parquet", "format: avro\n  multiline: true", "multiline is for"),
        (LAKE, "format: parquet", "path_template: YYYY/MM/DD/", "lacks hh"),
        (IOT, '  window_size: 60s', '  schedule: "*/5 * * * *"\n  path_template: YYYY/MM/DD/hh/', "lacks mm"),
        (IOT, "  window_size: 60s", '  path_template: "{table}/plain"', "this pattern has none"),
        (IOT, "iot-sensors", "x", "write the topic's name"),
        (IOT, "message_format: json", "message_format: avro", "allowed: json"),
        (IOT, WINDOW, "window_size: 0s", "at least 1s"),
        (IOT, WINDOW, "window_size: 60", "is not a duration"),
        (IOT, "  window_size: 60s\n", "", "window needs ingestion.window_size"),
        (IOT, WINDOW, f"{WINDOW}\n  dead_letter: gs://company-raw/iot_sensors/", "another part of this"),
        (IOT, WINDOW, f"{WINDOW}\n  dead_letter: gs://other-raw/iot/", "another bucket"),
        (IOT, WINDOW, f"{WINDOW}\n  location: gs://company-raw/aws_data_lake/\n  path_template: hive", "already the"),
        (IOT, "[id, window]", "[id, window, wind]", "neither a field nor a part"),
        (IOT, "[id, window]", "[id, items]", "is REPEATED"),
        (IOT, "[id, window]", "[id, payload]", "is JSON"),
        (IOT, "[id, window]", "[id, id, window]", "twice"),
        (IOT, AVERAGE, "avg(amuont) as average", "did you mean 'amount'?"),
        (IOT, AVERAGE, "avg(email) as average", "avg is for INT64"),
        (IOT, AVERAGE, "avg(amount)", "write avg(amount) as NAME"),
        (IOT, AVERAGE, "mean(amount) as average", "mean, which is not known"),
        (IOT, AVERAGE, "countif(amuont > 1) as average", "'amuont' is not known"),
        (IOT, AVERAGE, "count(*) as readings", "two metrics are named 'readings'"),
        (IOT, AVERAGE, "count(*) as id", "already a name of group_by"),
        (STRIPE, NAMED, "gold.salesforce_export", "did you mean 'gold.salesforce_exports'?"),
        (STRIPE, NAMED, "gold.stripe_payments", "itself makes"),
        (STRIPE, NAMED, "bronze.orders", "write gold.NAME, silver.NAME"),
        (STRIPE, "on: email", "on: e_mail", "field 'e_mail' is not known here"),
        (STRIPE, "on: email", "on: email, type: outer", "allowed: inner, left"),
        (STRIPE, "on: email", "on: 7", "expected a list, found the number 7"),
        (STRIPE, "aggregate:", "join: {table: gold.iot_sensors, on: id}\n      aggregate:", "exactly one"),
        (SALES, "check: valid_email", "check: referential, table: gold.nobody", "no table 'gold.nobody'"),
        (SALES, "check: valid_email", "check: referential, table: silver.iot_sensors, column: mail", "no column"),
        (SALES, EMAIL, "{check: unique, fields: [emial]}", "did you mean 'email'?"),
        (SALES, EMAIL, "{check: unique, field: id, fields: [id]}", "either field or"),
        (SALES, QUALITY, "    - pii: {hash: [amount]}\n" + QUALITY, "hash is for STRING"),
        (SALES, QUALITY, "    - pii: {mask: [mail]}\n" + QUALITY, "did you mean 'email'?"),
        (SALES, QUALITY, "    - pii: {hash: [email], drop: [email]}\n" + QUALITY, "already"),
        (SALES, MONITORING, "retention: {bronze: {standard: 90d, nearline: 9d}}\nmonitoring:", "greater age"),
        (SALES, MONITORING, "retention: {gold: 500d}\nmonitoring:", "at most 412d"),
        (SALES, "  sla_minutes", "  slack: data\n  sla_minutes", '"#data-alerts"'),
        (SALES, "  sla_minutes", "  volume_tolerance: 0\n  sla_minutes", "greater than 0"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_pattern_or_a_step_is_named_with_its_line(
    include: Path, source_id: str, old: str, new: str, says: str
) -> None:
    line = FILES[source_id][: FILES[source_id].index(old)].count("\n") + 1
    problems = edit(include, source_id, old, new)
    mine = [p for p in problems if f"{source_id}.yaml:" in p and says in p]
    assert mine, problems
    # Where a key is missing, the key that needs it, or the mapping, is named.
    found = int(mine[0].split("sources/")[1].split(":")[1])
    assert abs(found - line) <= (7 if "needs" in says or "missing" in says or "either poll" in says else 1)
    assert "see docs/reference/" in mine[0]


def test_a_joined_seed_a_model_and_a_table_of_a_dbt_source_are_known(include: Path) -> None:
    dbt = include / "dbt"
    for folder in ("seeds", "snapshots", "models/marts"):
        (dbt / folder).mkdir(parents=True)
    (dbt / "seeds/countries.csv").write_text("email,country\nx,y\n")
    (dbt / "models/marts/dim_customers.sql").write_text("select 1")
    declared = {"sources": [{"name": "crm", "schema": "gold", "tables": [{"name": "accounts"}]}]}
    (dbt / "models/marts/_sources.yml").write_text(yaml.safe_dump(declared))
    named = "gold.salesforce_exports"
    for table in ("countries", "gold.dim_customers", "gold.accounts"):
        assert edit(include, "stripe_payments", named, table) == []
        named = table
    problems = edit(include, "stripe_payments", named, "countries")
    assert problems == []
    assert edit(include, "stripe_payments", "[email, date]", "[country, date]") == []
    (problem,) = edit(include, "stripe_payments", "[country, date]", "[county, date]")
    assert "did you mean 'country'?" in problem


def test_models_without_the_sources_tag_are_named(include: Path) -> None:
    folder = include / "dbt/models/staging/iot_sensors"
    folder.mkdir(parents=True)
    (folder / "stg_iot_sensors.sql").write_text("select 1")
    (folder / "_sources.yml").write_text("sources:\n  - {name: x, config: {tags: [iot_sensors]}}\n")
    models = folder / "_models.yml"
    models.write_text("models:\n  - name: stg_iot_sensors\n    config: {tags: [iot_sensors_eu]}\n")
    (problem,) = (str(p) for p in load_sources(include).problems)
    assert "iot_sensors.yaml:1:" in problem
    assert "has the tag iot_sensors, so" in problem
    for tags in ("[daily, iot_sensors]", "iot_sensors", "\n      - daily\n      - 'iot_sensors'"):
        models.write_text(f"models:\n  - name: stg_iot_sensors\n    config:\n      tags: {tags}\n")
        assert load_sources(include).problems == [], tags
    models.unlink()
    (folder / "stg_iot_sensors.sql").write_text("{{ config(tags=['iot_sensors']) }} select 1")
    assert load_sources(include).problems == []


def test_a_schema_without_a_version_folder_may_be_named_after_what_it_describes(include: Path) -> None:
    (include / "schemas/iot_sensors.json").rename(include / "schemas/readings.json")
    assert edit(include, "iot_sensors", "schemas/iot_sensors.json", "schemas/readings.json") == []
    edit_schema(include, "readings", source_id="readings")
    assert load_sources(include).problems == []
    (problem,) = edit_schema(include, "readings", source_id="other")
    assert "this schema belongs to 'other'" in problem
