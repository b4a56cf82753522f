"""The local Dataproc through Google's own client: what a batch goes through, and what survives what."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from free_ports import free_port
from google.api_core import exceptions
from lake_servers import PARENT, ROOT, Dataproc, State, catalog, gcs, wait_for

from local.dataproc import properties
from local.dataproc.driver import leads_session, stop_all
from local.dataproc.messages import last_exception

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    with gcs(tmp_path_factory.mktemp("gcs")) as client:
        yield client


@contextmanager
def shell_server(folder: Path, storage, slots: int = 1) -> Iterator[Dataproc]:
    """A server with a shell in Spark's place; at its end no driver may be left."""
    command = [sys.executable, str(Path(__file__).with_name("dataproc_shell.py"))]
    server = Dataproc(folder / "cloud", storage, command, {"SLOTS": str(slots), "PYTHONPATH": str(ROOT)})
    server.start()
    try:
        yield server
    finally:
        server.close()
        left = drivers(folder)
        for process in left:  # a test that fails must not leave them to the next one
            process.kill()
    assert left == []


@pytest.fixture(scope="module")
def dataproc(tmp_path_factory, storage):
    """One server for all tests that leave it running."""
    with shell_server(tmp_path_factory.mktemp("shared"), storage) as server:
        yield server


@pytest.fixture
def own_dataproc(tmp_path, storage):
    """A server for a test that stops or kills it."""
    with shell_server(tmp_path, storage) as server:
        yield server


def drivers(folder: Path) -> list[psutil.Process]:
    """Every process that a driver of this test's servers consists of."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOURGLASS_BATCH_FOLDER", "").startswith(str(folder)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def session_leader(folder: Path) -> psutil.Process | None:
    """The shell around a test's only running driver."""
    return next((process for process in drivers(folder) if leads_session(process)), None)


def new_id(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def test_a_batch_that_succeeds_tells_its_story(dataproc):
    batch_id = new_id("good")
    operation = dataproc.create(batch_id, 'echo "args: $*"', args=["a b", "c"], labels={"team": "sand"})
    result = operation.result(timeout=30)
    batch = dataproc.get(batch_id)
    assert result == batch
    assert batch.state == State.SUCCEEDED
    assert [entry.state for entry in batch.state_history] == [State.PENDING, State.RUNNING]
    assert batch.create_time <= batch.state_history[1].state_start_time <= batch.state_time
    assert batch.environment_config.execution_config.ttl == timedelta(hours=4)
    assert operation.metadata.batch == batch.name
    assert dict(operation.metadata.labels) == {"team": "sand"}
    assert dataproc.output(batch) == "args: a b c\n"
    log = dataproc.folder / "logs" / f"dataproc-{batch_id}.log"
    assert log.read_text() == "args: a b c\n"
    assert batch.runtime_info.approximate_usage.update_time


def test_python_files_keep_their_names_and_working_files_are_there(dataproc, storage):
    for name in ("helper.py", "other.py", "data.txt"):
        storage.bucket("hourglass-ops").blob(f"lib/{name}").upload_from_string(name)
    batch_id = new_id("files")
    library = "gs://hourglass-ops/lib"
    dataproc.create(
        batch_id,
        'echo "$PY_FILES"; cat data.txt',
        python_file_uris=[f"{library}/helper.py", f"{library}/other.py"],
        file_uris=[f"{library}/data.txt"],
    )
    first, *rest = dataproc.output(dataproc.reach(batch_id)).splitlines()
    assert [Path(file).name for file in first.split(",")] == ["helper.py", "other.py"]
    assert rest == ["data.txt"]


def test_a_failure_names_the_exception_and_where_the_output_is(dataproc):
    batch_id = new_id("bad")
    script = "cat <<'END'\nTraceback (most recent call last):\n  File \"x\"\nValueError: boom\nEND\nexit 1"
    operation = dataproc.create(batch_id, script)
    batch = dataproc.reach(batch_id)
    assert batch.state == State.FAILED
    assert batch.state_message.startswith(
        "Job failed with message [ValueError: boom]. Additional details can be"
    )
    assert f"{batch.runtime_info.output_uri}.*" in batch.state_message
    with pytest.raises(exceptions.Aborted, match="ValueError: boom"):
        operation.result(timeout=30)


def test_a_failure_without_a_traceback_names_the_exit_code(dataproc):
    batch_id = new_id("code")
    dataproc.create(batch_id, "exit 7")
    assert "Agent reports job failure (exit code 7)" in dataproc.reach(batch_id).state_message


@pytest.mark.parametrize("field", ["main_python_file_uri", "python_file_uris"])
def test_a_missing_file_fails_the_batch(dataproc, field):
    batch_id, uri = new_id("gone"), "gs://hourglass-ops/nowhere/to be found.py"
    dataproc.create(batch_id, "exit 0", **{field: uri if field.startswith("main") else [uri]})
    batch = dataproc.reach(batch_id)
    assert batch.state == State.FAILED
    assert f"java.io.FileNotFoundException: File not found : {uri}" in batch.state_message
    assert uri in dataproc.output(batch)


@pytest.mark.parametrize(
    ("batch_id", "change", "sentence"),
    [
        ("Bad_Id", {}, r"Batch ID 'Bad_Id' must conform to pattern '\[a-z0-9\]"),
        ("abc", {}, "must conform to pattern"),
        ("", {"labels": {"stage": "task_one"}}, 'Not a valid value: "task_one". Only lowercase letters'),
        ("", {"labels": {f"k{i}": "v" for i in range(33)}}, "No more than 32 labels"),
        ("", {"pyspark_batch": {"main_python_file_uri": "gs://b/main.jar"}}, "must be a .py file"),
        ("", {"pyspark_batch": None}, "must specify one of"),
        ("", {"environment_config": {"execution_config": {"ttl": {"seconds": 15 * 86400}}}}, "Invalid ttl"),
        ("", {"environment_config": {"execution_config": {"idle_ttl": {"seconds": 600}}}}, "idle_ttl"),
    ],
)
def test_a_wrong_request_is_refused_with_a_sentence(dataproc, batch_id, change, sentence):
    batch = {"pyspark_batch": {"main_python_file_uri": "gs://b/main.py"}, **change}
    parent = dataproc.in_region("wrong1").parent
    with pytest.raises(exceptions.InvalidArgument, match=sentence):
        dataproc.client.create_batch(parent=parent, batch=batch, batch_id=batch_id)
    assert list(dataproc.client.list_batches(parent=parent)) == []


def test_names_are_taken_once_and_unknown_ones_are_not_found(dataproc):
    batch_id = new_id("once")
    dataproc.create(batch_id, "exit 0")
    with pytest.raises(
        exceptions.AlreadyExists, match=f"Failed to create batch: Batch {PARENT}/batches/{batch_id}"
    ):
        dataproc.create(batch_id, "exit 0")
    assert dataproc.client.get_batch(name=f"{PARENT}/batches/{batch_id}".replace("/locations/", "/regions/"))
    with pytest.raises(exceptions.NotFound, match=f"Not found: Batch {PARENT}/batches/none"):
        dataproc.get("none")
    with pytest.raises(exceptions.NotFound):
        dataproc.client.delete_batch(name=f"{PARENT}/batches/none")
    operations = dataproc.client.transport.operations_client
    with pytest.raises(exceptions.NotFound):
        operations.cancel_operation("projects/p/regions/r/operations/none")


def test_the_same_request_id_creates_one_batch(dataproc):
    request = {
        "parent": dataproc.in_region("again1").parent,
        "batch": {"pyspark_batch": {"main_python_file_uri": "gs://hourglass-ops/none.py"}},
        "request_id": new_id("request"),
    }
    first, second = (dataproc.client.create_batch(request=request) for _ in range(2))
    assert first.operation.name == second.operation.name
    assert len(list(dataproc.client.list_batches(parent=request["parent"]))) == 1


def test_a_full_house_makes_batches_wait_and_cancel_works_in_every_state(dataproc):
    ids = [new_id(name) for name in ("first", "second", "third")]
    # `sleep` is a child of a child, and the second process ignores SIGTERM.
    stubborn = "sh -c 'trap \"\" TERM; while :; do sleep 1; done' & sleep 60; wait"
    operations = [
        dataproc.create(batch_id, stubborn if i == 0 else "exit 0") for i, batch_id in enumerate(ids)
    ]
    dataproc.reach(ids[0], State.RUNNING)
    assert [dataproc.get(batch_id).state for batch_id in ids[1:]] == [State.PENDING, State.PENDING]
    operations[1].cancel()
    assert dataproc.get(ids[1]).state == State.CANCELLED
    assert operations[1].cancelled()
    with pytest.raises(exceptions.FailedPrecondition, match="can be deleted"):
        dataproc.client.delete_batch(name=f"{PARENT}/batches/{ids[0]}")
    operations[0].cancel()
    stopped = dataproc.reach(ids[0], State.CANCELLED)
    assert State.CANCELLING in [entry.state for entry in stopped.state_history]
    assert dataproc.reach(ids[2]).state == State.SUCCEEDED  # the slot was given on
    operations[0].cancel()  # no effect on an ended one
    assert dataproc.get(ids[0]).state == State.CANCELLED
    assert drivers(dataproc.folder) == []
    dataproc.client.delete_batch(name=f"{PARENT}/batches/{ids[0]}")
    with pytest.raises(exceptions.NotFound):
        dataproc.get(ids[0])


def test_two_slots_run_two_batches_at_a_time(tmp_path, storage):
    ids = [new_id("slot") for _ in range(3)]
    with shell_server(tmp_path, storage, slots=2) as server:
        for batch_id in ids:
            server.create(batch_id, "sleep 60")
        for batch_id in ids[:2]:
            server.reach(batch_id, State.RUNNING)
        assert server.get(ids[2]).state == State.PENDING


def test_a_batch_can_be_cancelled_the_moment_it_runs(dataproc):
    for _ in range(5):
        batch_id = new_id("moment")
        operation = dataproc.create(batch_id, "sleep 60")
        operation.cancel()  # the driver is being prepared, has just started, or runs
        dataproc.reach(batch_id, State.CANCELLED)


def test_a_batch_ends_with_its_time_to_live(dataproc):
    batch_id = new_id("ttl")
    dataproc.create(batch_id, "sleep 60", ttl=2)
    batch = dataproc.reach(batch_id)
    assert batch.state == State.CANCELLED
    assert "exceeded its time to live of 2s" in batch.state_message
    assert drivers(dataproc.folder) == []


def test_lists_are_filtered_ordered_and_paged(dataproc):
    dataproc = dataproc.in_region("lists1")
    made = []
    for number in range(5):
        made.append(new_id(f"list{number}"))
        labels = {"hourglass-source": "github" if number % 2 else "shop", "number": str(number)}
        dataproc.create(made[-1], "exit 0" if number else "exit 1", labels=labels)
        dataproc.reach(made[-1])
    middle = dataproc.get(made[2])

    def listed(filter_: str, **more) -> list[int]:
        found = dataproc.client.list_batches(request={"parent": dataproc.parent, "filter": filter_, **more})
        return [made.index(batch.name.rsplit("/", 1)[1]) for batch in found]

    assert listed("") == listed("", order_by="create_time desc") == [4, 3, 2, 1, 0]
    assert listed("", page_size=2) == [4, 3, 2, 1, 0]  # the client turns the pages
    page = dataproc.client.list_batches(request={"parent": dataproc.parent, "page_size": 2})
    assert len(page.batches) == 2
    assert page.next_page_token
    assert listed("state = FAILED") == [0]
    assert listed('state = "SUCCEEDED" AND labels.hourglass-source=github') == [3, 1]
    assert listed("labels.hourglass-source = github and (labels.number = 1 OR labels.number = 2)") == [1]
    assert listed("labels.number:*") == [4, 3, 2, 1, 0]
    assert listed("NOT labels.hourglass-source=github") == [4, 2, 0]
    assert listed(f"batch_id = {made[3]}") == [3]
    assert listed(f'batch_uuid = "{middle.uuid}"') == [2]
    moment = middle.create_time.rfc3339()
    assert listed(f'create_time > "{moment}"') == [4, 3]
    assert listed(f'create_time <= "{moment}" state = SUCCEEDED') == [2, 1]
    assert list(dataproc.client.list_batches(parent=dataproc.in_region("europe-west1").parent)) == []
    for wrong in ("colour = red", "state = ", "state = HAPPY", "(state = FAILED", 'create_time > "noon"'):
        with pytest.raises(exceptions.InvalidArgument, match="Invalid filter"):
            listed(wrong)
    with pytest.raises(exceptions.InvalidArgument, match="order"):
        listed("", order_by="state")


def test_operations_are_found_listed_and_deleted(dataproc):
    operation = dataproc.in_region("operations1").create(new_id("operation"), "exit 0")
    operation.result(timeout=30)
    name, operations = operation.operation.name, dataproc.client.transport.operations_client
    assert operations.get_operation(name).done
    parent = name.rpartition("/operations/")[0]
    assert [found.name for found in operations.list_operations(parent, "")] == [name]
    operations.delete_operation(name)
    with pytest.raises(exceptions.NotFound):
        operations.get_operation(name)


def test_a_killed_server_finds_its_batches_again(own_dataproc):
    done, running, waiting = (new_id(name) for name in ("done", "running", "waiting"))
    own_dataproc.create(done, "exit 0")
    before = own_dataproc.reach(done)
    release = own_dataproc.folder / "release"
    operation = own_dataproc.create(running, f"until [ -e '{release}' ]; do sleep 0.1; done; echo released")
    own_dataproc.create(waiting, "echo waited")
    own_dataproc.reach(running, State.RUNNING)
    own_dataproc.signal(signal.SIGKILL)
    assert drivers(own_dataproc.folder)
    own_dataproc.start()
    assert own_dataproc.get(done) == before
    assert own_dataproc.get(running).state == State.RUNNING
    assert own_dataproc.get(waiting).state == State.PENDING  # the adopted driver holds the slot
    release.touch()
    batch = own_dataproc.reach(running)
    assert batch.state == State.SUCCEEDED
    assert own_dataproc.output(batch) == "released\n"
    assert own_dataproc.reach(waiting).state == State.SUCCEEDED
    operations = own_dataproc.client.transport.operations_client
    assert operations.get_operation(operation.operation.name).done


def test_an_adopted_driver_can_be_cancelled(own_dataproc):
    batch_id = new_id("adopted")
    operation = own_dataproc.create(batch_id, "sleep 60")
    own_dataproc.reach(batch_id, State.RUNNING)
    own_dataproc.signal(signal.SIGKILL)
    own_dataproc.start()
    own_dataproc.client.transport.operations_client.cancel_operation(operation.operation.name)
    own_dataproc.reach(batch_id, State.CANCELLED)
    assert drivers(own_dataproc.folder) == []


@pytest.mark.parametrize(
    ("code", "state", "sentence"),
    [
        (0, State.SUCCEEDED, ""),
        (3, State.FAILED, "exit code 3"),
        (None, State.FAILED, "gone and left no exit code"),
    ],
)
def test_a_driver_that_ended_while_the_server_was_away_is_judged(own_dataproc, code, state, sentence):
    batch_id, release = new_id("away"), own_dataproc.folder / "release"
    own_dataproc.create(batch_id, f"until [ -e '{release}' ]; do sleep 0.1; done; exit {code}")
    own_dataproc.reach(batch_id, State.RUNNING)
    own_dataproc.signal(signal.SIGKILL)
    if code is None:
        for process in drivers(own_dataproc.folder):
            with suppress(psutil.NoSuchProcess):  # it may end with the one before it
                process.kill()
    release.touch()
    wait_for(lambda: not drivers(own_dataproc.folder), 10, "the driver's end")
    own_dataproc.start()
    batch = own_dataproc.reach(batch_id)
    assert batch.state == state
    assert sentence in batch.state_message


def test_a_driver_that_is_killed_under_a_living_server_fails_its_batch(dataproc):
    batch_id = new_id("killed")
    dataproc.create(batch_id, "sleep 60")
    dataproc.reach(batch_id, State.RUNNING)
    wait_for(lambda: session_leader(dataproc.folder), 10, "the driver's shell").kill()
    batch = dataproc.reach(batch_id)
    assert batch.state == State.FAILED
    assert "gone and left no exit code" in batch.state_message
    assert drivers(dataproc.folder) == []  # what the shell left behind was ended too


def test_spark_that_outlives_its_killed_shell_is_ended_by_the_next_server(own_dataproc):
    batch_id = new_id("shell")
    own_dataproc.create(batch_id, "sleep 60")
    own_dataproc.reach(batch_id, State.RUNNING)
    shell = wait_for(lambda: session_leader(own_dataproc.folder), 10, "the driver's shell")
    own_dataproc.signal(signal.SIGKILL)
    shell.kill()
    wait_for(lambda: not session_leader(own_dataproc.folder), 10, "the shell's end")
    assert drivers(own_dataproc.folder)
    own_dataproc.start()
    assert "gone and left no exit code" in own_dataproc.reach(batch_id, State.FAILED).state_message
    assert drivers(own_dataproc.folder) == []


def test_two_servers_do_not_share_their_batches(tmp_path, storage):
    first = Dataproc(tmp_path / "cloud", storage)
    first.start()
    try:
        second = subprocess.run(
            [
                sys.executable,
                "-m",
                "local.dataproc",
                "--port",
                "0",
                "--data-dir",
                tmp_path / "cloud/data/dataproc",
            ],
            cwd=ROOT,
            env={**os.environ, "STORAGE_EMULATOR_HOST": storage.api_endpoint},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        first.close()
    assert second.returncode == 2
    assert "another local Dataproc uses" in second.stderr


def test_a_stopped_server_leaves_no_driver(own_dataproc):
    running, waiting = new_id("running"), new_id("waiting")
    own_dataproc.create(running, "sleep 60")
    own_dataproc.create(waiting, "exit 0")
    own_dataproc.reach(running, State.RUNNING)
    assert own_dataproc.signal(signal.SIGTERM) == 0
    assert drivers(own_dataproc.folder) == []
    own_dataproc.start()
    batch = own_dataproc.get(running)
    assert batch.state == State.FAILED
    assert "server was stopped" in batch.state_message
    assert own_dataproc.reach(waiting).state == State.SUCCEEDED


def test_drivers_of_a_server_that_does_not_return_can_be_ended(own_dataproc):
    batch_id = new_id("orphan")
    own_dataproc.create(batch_id, "sleep 60")
    own_dataproc.reach(batch_id, State.RUNNING)
    own_dataproc.signal(signal.SIGKILL)
    stop_all(own_dataproc.folder / "data" / "dataproc", grace_seconds=1)
    assert drivers(own_dataproc.folder) == []


def test_a_second_server_does_not_share_the_port(dataproc):
    second = subprocess.run(
        [*dataproc.command, "--port", str(dataproc.port), "--data-dir", str(dataproc.folder / "a/b/second")],
        cwd=ROOT,
        env={**os.environ, "STORAGE_EMULATOR_HOST": dataproc.gcs.api_endpoint, **dataproc.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode != 0
    assert str(dataproc.port) in second.stderr


def test_the_laptop_s_properties_win_and_are_written_so_that_java_reads_them(tmp_path):
    requested = {
        "spark.sql.catalog.lake.type": "rest",
        "spark.sql.catalog.lake.rest.auth.type": "org.apache.iceberg.gcp.auth.GoogleAuthManager",
        "spark.driver.memory": "16g",
        "spark.sql.session.timeZone": "UTC",
        "spark.note": " a\\b=ü\n",
    }
    laptop = properties.Laptop(tmp_path, "http://127.0.0.1:1", cores=3)
    merged = properties.merged(requested, laptop, tmp_path)
    assert merged["spark.sql.catalog.lake.rest.auth.type"] == "none"
    assert merged["spark.sql.catalog.lake.gcs.service.host"] == "http://127.0.0.1:1"
    assert merged["spark.driver.memory"] == "2g"
    assert merged["spark.sql.shuffle.partitions"] == "3"
    assert merged["spark.sql.session.timeZone"] == "UTC"
    text = properties.as_file(merged)
    assert "spark.note=\\ a\\\\b=\\u00fc\\n\n" in text
    assert "spark.master=local[3]\n" in text


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("Traceback (most recent call last):\n  x\nKeyError: 'a'\n", "KeyError: 'a'"),
        (
            "Traceback (most recent call last):\n  x\nKeyError: 'a'\nDuring handling…\n"
            "Traceback (most recent call last):\n  y\nmy.pkg.OddOne: b\n26/11/21 INFO bye\n",
            "my.pkg.OddOne: b",
        ),
        ('  File "main.py", line 1\n    x x\nSyntaxError: invalid syntax\n', "SyntaxError: invalid syntax"),
        ('Exception in thread "main" java.lang.Oops: no\n\tat x\n', "java.lang.Oops: no"),
        ("all is well\n", ""),
    ],
)
def test_the_exception_is_found_in_the_output(output, expected):
    assert last_exception(output) == expected


_JOB = """
import sys
from pyspark.sql import SparkSession, functions as F
import greeting

spark = SparkSession.builder.getOrCreate()
spark.sql("CREATE NAMESPACE IF NOT EXISTS lake.trial")
spark.sql("CREATE TABLE lake.trial.words (word STRING, hour TIMESTAMP) USING iceberg PARTITIONED BY (hour)")
words = spark.read.text(sys.argv[1]).selectExpr("value AS word", "TIMESTAMP'2021-07-21 06:00:00' AS hour")
for _ in range(2):
    words.writeTo("lake.trial.words").overwrite(F.expr("hour = TIMESTAMP'2021-07-21 06:00:00'"))
print(greeting.WORD, sorted(row.word for row in spark.table("lake.trial.words").collect()))
raise ValueError("the end")
"""


@pytest.mark.spark
def test_spark_writes_and_reads_an_iceberg_table_through_catalog_and_storage(tmp_path, storage):
    port = free_port()
    bucket = storage.bucket("hourglass-ops")
    bucket.blob("trial/words.txt").upload_from_string("sand\nglass\n")
    bucket.blob("trial/greeting.py").upload_from_string("WORD = 'read:'")
    catalog_properties = {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "rest",
        "spark.sql.catalog.lake.uri": f"http://127.0.0.1:{port}",
        "spark.sql.catalog.lake.warehouse": "gs://hourglass-lake",
        "spark.sql.catalog.lake.io-impl": "org.apache.iceberg.gcp.gcs.GCSFileIO",
        "spark.sql.catalog.lake.header.x-goog-user-project": "hourglass-local",
        "spark.sql.catalog.lake.rest.auth.type": "org.apache.iceberg.gcp.auth.GoogleAuthManager",
        "spark.sql.session.timeZone": "UTC",
    }
    server = Dataproc(tmp_path / "cloud", storage)
    with catalog(tmp_path, storage.api_endpoint, port):
        server.start()
        try:
            server.create(
                "trial",
                _JOB,
                args=["gs://hourglass-ops/trial/words.txt"],
                python_file_uris=["gs://hourglass-ops/trial/greeting.py"],
                properties=catalog_properties,
            )
            batch = server.reach("trial", seconds=180)
        finally:
            server.close()
    output = server.output(batch)
    assert "read: ['glass', 'sand']" in output
    assert batch.state == State.FAILED
    assert "[ValueError: the end]" in batch.state_message, output
    assert batch.runtime_info.approximate_usage.milli_dcu_seconds > 0
    names = [blob.name for blob in storage.bucket("hourglass-lake").list_blobs(prefix="trial/words/data/")]
    assert any(name.endswith(".parquet") for name in names)
    assert drivers(tmp_path) == []
