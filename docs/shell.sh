# Small commands for looking at a deployment, and for putting objects there, for bash. The runbook and the guides use them.
#
# On a laptop:          . .local/cloud/env && . docs/shell.sh
# In Google's cloud:    export HOURGLASS_PROJECT=… && gcloud auth application-default login, then . docs/shell.sh
#                       (Python 3.11 with google-cloud-bigquery, -storage and -bigtable on PATH)

# Without the remarks of Google's clients about emulators and about a key that names no account.
_hg_python() { PYTHONWARNINGS=ignore python -c 'import logging, sys; logging.disable(logging.CRITICAL); exec(sys.stdin.read())' "$@"; }
_hg_plugins="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/plugins"

# hg_sql QUERY: run it on BigQuery; one JSON object a row.
hg_sql() {
  _hg_python "$1" <<'PY'
import json, os, sys
from google.cloud import bigquery

client = bigquery.Client(project=os.environ["HOURGLASS_PROJECT"])
for row in client.query(sys.argv[1]).result():
    print(json.dumps(dict(row), default=lambda v: v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v)))
PY
}

# hg_ls gs://BUCKET/PREFIX: name, generation, bytes and time of every object under a prefix.
hg_ls() {
  _hg_python "$1" <<'PY'
import os, sys
from google.cloud import storage

bucket, _, prefix = sys.argv[1].removeprefix("gs://").partition("/")
for blob in storage.Client(project=os.environ["HOURGLASS_PROJECT"]).list_blobs(bucket, prefix=prefix):
    print(f"gs://{bucket}/{blob.name}", blob.generation, blob.size, f"{blob.updated:%Y-%m-%dT%H:%M:%SZ}")
PY
}

# hg_cat gs://BUCKET/NAME: the content of an object.
hg_cat() {
  _hg_python "$1" <<'PY'
import os, sys
from google.cloud import storage

bucket, _, name = sys.argv[1].removeprefix("gs://").partition("/")
sys.stdout.buffer.write(storage.Client(project=os.environ["HOURGLASS_PROJECT"]).bucket(bucket).blob(name).download_as_bytes())
PY
}

# hg_put FOLDER gs://BUCKET/PREFIX [TIME]: copy a folder's files, tallies of `generate` excepted; TIME becomes
# their custom time, which the local cloud takes for the last modification on S3.
hg_put() {
  _hg_python "$@" <<'PY'
import datetime, os, pathlib, sys
from google.cloud import storage

folder, target, *time = sys.argv[1:]
bucket, _, prefix = target.removeprefix("gs://").partition("/")
client = storage.Client(project=os.environ["HOURGLASS_PROJECT"])
for file in sorted(pathlib.Path(folder).rglob("*")):
    name = file.relative_to(folder)
    if file.is_file() and name.parts[0] != "_tally":
        blob = client.bucket(bucket).blob(prefix + name.as_posix())
        if time:
            blob.custom_time = datetime.datetime.fromisoformat(time[0])
        blob.upload_from_filename(str(file))
        print(f"gs://{bucket}/{blob.name}")
PY
}

# hg_rm gs://BUCKET/NAME: delete an object.
hg_rm() {
  _hg_python "$1" <<'PY'
import os, sys
from google.cloud import storage

bucket, _, name = sys.argv[1].removeprefix("gs://").partition("/")
storage.Client(project=os.environ["HOURGLASS_PROJECT"]).bucket(bucket).blob(name).delete()
PY
}

# hg_features SET ENTITY: the newest features of one entity in Bigtable, as JSON.
hg_features() {
  PYTHONPATH="$_hg_plugins${PYTHONPATH:+:$PYTHONPATH}" _hg_python "$1" "$2" <<'PY'
import json, os, sys
from hourglass.features.read import open_store

store = open_store(os.environ["HOURGLASS_PROJECT"], os.environ.get("HOURGLASS_BIGTABLE_INSTANCE", "hourglass"))
found = store.features(sys.argv[1], sys.argv[2])
print(json.dumps(found.values if found else {}, sort_keys=True, default=str))
PY
}
