"""Hourglass: one YAML file and one schema file per source become one Airflow DAG."""
