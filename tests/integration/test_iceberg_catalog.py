"""The local Iceberg catalog, spoken to as any REST client does."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request

import psutil
import pytest
from free_ports import free_port
from lake_servers import ROOT, catalog, gcs

from local.iceberg import install, java

pytestmark = pytest.mark.cloud

_TABLE = {
    "name": "events",
    "schema": {
        "type": "struct",
        "schema-id": 0,
        "fields": [{"id": 1, "name": "id", "required": False, "type": "string"}],
    },
    "properties": {"format-version": "2"},
}


def call(port: int, path: str, body: object = None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/{path}", data=data, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_tables_survive_a_kill_and_lie_in_the_lake(tmp_path):
    port = free_port()
    with gcs(tmp_path) as storage:
        with catalog(tmp_path, storage.api_endpoint, port) as server:
            # As with Google's catalog, a client names the bucket as its warehouse.
            assert "overrides" in call(port, "config?warehouse=gs://hourglass-lake")
            call(port, "namespaces", {"namespace": ["silver"]})
            made = call(port, "namespaces/silver/tables", _TABLE)
            addresses = {
                c.laddr.ip for c in psutil.Process(server.pid).net_connections() if c.status == "LISTEN"
            }
            server.send_signal(signal.SIGKILL)
            server.wait(10)
        with catalog(tmp_path, storage.api_endpoint, port):
            found = call(port, "namespaces/silver/tables/events")
            with pytest.raises(urllib.error.HTTPError, match="409"):
                call(port, "namespaces/silver/tables", _TABLE)
            with pytest.raises(urllib.error.HTTPError, match="404"):
                call(port, "namespaces/silver/tables/none")
        assert found["metadata"] == made["metadata"]
        assert found["metadata"]["location"] == "gs://hourglass-lake/silver/events"
        name = found["metadata-location"].removeprefix("gs://hourglass-lake/")
        assert storage.bucket("hourglass-lake").blob(name).exists()
        assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}


def test_an_installed_catalog_is_not_installed_again(monkeypatch):
    def fetch(*_: object) -> None:
        raise AssertionError("Maven was asked for jars that are there")

    monkeypatch.setattr(java, "copy_jars", fetch)
    install.install(ROOT)


def test_a_damaged_installation_is_seen(tmp_path):
    folder, staged = tmp_path / "jars", tmp_path / "staged"
    staged.mkdir()
    (staged / "a.jar").write_text("jar")
    java.replace(folder, staged, "key")
    assert java.is_current(folder, "key")
    assert not java.is_current(folder, "another key")
    (folder / "a.jar").write_text("")
    assert not java.is_current(folder, "key")


def test_a_missing_or_wrong_java_is_named_with_its_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(java.JavaError, match=r"no Java in JAVA_HOME=.*openjdk-17"):
        java.java_home()
    fake = tmp_path / "bin" / "java"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    fake.chmod(0o755)
    with pytest.raises(java.JavaError, match="is Java 21, but"):
        java.java_home()


def test_maven_s_own_words_end_the_message(tmp_path):
    with pytest.raises(java.JavaError, match=r"broken \(exit code 3\):\n  ERROR: no such jar"):
        java.run_tool(["sh", "-c", "echo ERROR: no such jar; exit 3"], "broken", 10)
