#!/usr/bin/env bash
# Upload Hourglass to an existing Cloud Composer 3 environment. See deploy/README.md.
#
# THIS SCRIPT HAS NOT BEEN RUN against Google Cloud; only its --dry-run is tested.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: deploy/composer.sh --environment NAME --region REGION [--packages] [--settings] [--dry-run]

  --environment NAME   the Composer environment
  --region REGION      its region
  --packages           also install the PyPI packages that Composer's image lacks (restarts the environment)
  --settings           also set environment variables, Airflow options and pools (restarts the environment)
  --dry-run            print the gcloud commands instead of running them

The shell's HOURGLASS_* variables become the environment's; HOURGLASS_PROJECT is required.
Run it in an activated .venv, or after `make demo`; dbt makes the manifest that DAG files are built from.
TEXT
}

fail() {
  echo "deploy/composer.sh: $*" >&2
  exit 2
}

# gcloud, or with --dry-run what would be run, one command a line.
cloud() {
  if [[ $dry_run == yes ]]; then
    printf '%q ' gcloud "$@"
    printf '\n'
  else
    gcloud "$@"
  fi
}

environment="" region="" packages=no settings=no dry_run=no
while (($#)); do
  case $1 in
    --environment) environment=${2:?--environment needs a name}; shift 2 ;;
    --region) region=${2:?--region needs a name}; shift 2 ;;
    --packages) packages=yes; shift ;;
    --settings) settings=yes; shift ;;
    --dry-run) dry_run=yes; shift ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; fail "unknown argument $1" ;;
  esac
done
[[ -n $environment && -n $region ]] || { usage >&2; fail "--environment and --region are required"; }
[[ -n ${HOURGLASS_PROJECT:-} ]] || fail "HOURGLASS_PROJECT is not set; export the Google Cloud project"
endpoints=$(env | grep -E '^(STORAGE|BIGQUERY|BIGTABLE|DATAPROC)_EMULATOR_HOST=' || true)
[[ -z $endpoints || $dry_run == yes ]] || fail "this shell points to emulators; open one without .local/cloud/env"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[[ -d $root/.venv/bin ]] && PATH=$root/.venv/bin:$PATH
composer=(--project "$HOURGLASS_PROJECT" --location "$region")
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# --- Stage the upload, so that the working tree's own dbt manifest is not touched ---
mkdir "$stage/dags"
cp "$root"/dags/*.py "$stage/dags/"
# Airflow would otherwise parse the Spark job's files, looking for DAGs.
printf 'include/\n' > "$stage/dags/.airflowignore"
cp -R "$root/include" "$stage/include"
rm -rf "$stage"/include/{samples,dbt/target,dbt/logs,dbt/dbt_packages}
cp -R "$root/plugins" "$stage/plugins"
find "$stage" -name __pycache__ -type d -prune -exec rm -rf {} +
[[ -f $stage/plugins/.airflowignore ]] || fail "plugins/.airflowignore is missing"
env DBT_SEND_ANONYMOUS_USAGE_STATS=False \
  dbt --quiet parse --project-dir "$stage/include/dbt" --profiles-dir "$stage/include/dbt" >&2
rm -rf "$stage/include/dbt/logs"

# --- Packages and settings, before the code that needs them ---
if [[ $packages == yes ]]; then
  # What Composer's image brings keeps Composer's version.
  grep -vE '^(#|$|apache-airflow|google-cloud-|pandas|sqlalchemy-bigquery|pytest)' "$root/requirements.txt" > "$stage/pypi.txt"
  cloud composer environments update "$environment" "${composer[@]}" --update-pypi-packages-from-file "$stage/pypi.txt"
fi

if [[ $dry_run == yes ]]; then
  bucket=gs://BUCKET_OF_THE_ENVIRONMENT
else
  bucket=$(gcloud composer environments describe "$environment" "${composer[@]}" --format 'value(config.dagGcsPrefix)')
  bucket=${bucket%/dags}
fi

if [[ $settings == yes ]]; then
  variables="HOURGLASS_INCLUDE=/home/airflow/gcs/dags/include,DBT_SEND_ANONYMOUS_USAGE_STATS=False,GX_ANALYTICS_ENABLED=False"
  for name in $(compgen -e | grep '^HOURGLASS_' | sort); do
    # The first two belong to this shell or were set above.
    [[ $name == HOURGLASS_CLOUD || $name == HOURGLASS_INCLUDE || -z ${!name} ]] || variables+=",$name=${!name}"
  done
  cloud composer environments update "$environment" "${composer[@]}" --update-env-variables "$variables"
  cloud composer environments update "$environment" "${composer[@]}" --update-airflow-configs cosmos-enable_telemetry=False
  (cd "$root" && python -c '
import json, pathlib
from local.settings import read_settings
print(json.dumps(read_settings(pathlib.Path("airflow_settings.yaml"))["pools"], indent=1))') > "$stage/pools.json"
  cloud storage cp "$stage/pools.json" "$bucket/data/pools.json"
  cloud composer environments run "$environment" "${composer[@]}" pools import -- /home/airflow/gcs/data/pools.json
fi

# --- Code: what DAG files import first, the DAG files last ---
cloud storage rsync --recursive --delete-unmatched-destination-objects "$stage/plugins/hourglass" "$bucket/plugins/hourglass"
cloud storage rsync --recursive "$stage/plugins" "$bucket/plugins"
cloud storage rsync --recursive --delete-unmatched-destination-objects "$stage/include" "$bucket/dags/include"
# Without deletion: Composer keeps a DAG of its own in this folder.
cloud storage rsync --recursive "$stage/dags" "$bucket/dags"
echo "uploaded to $environment ($bucket)" >&2
