"""From a source's YAML and schema to its dbt models: staging, gold, and the views that serve it."""
