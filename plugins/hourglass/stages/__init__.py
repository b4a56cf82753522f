"""One module a stage, each building its task group."""
