"""The feature store in Bigtable: reading it, and the bytes that a push sends. Needs no Airflow."""
