"""The few calls to GCS, Dataproc, BigQuery and Bigtable that no operator covers."""
