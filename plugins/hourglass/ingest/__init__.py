"""Fetching what a source does not land by itself. Pure: imports no Airflow and no cloud client."""
