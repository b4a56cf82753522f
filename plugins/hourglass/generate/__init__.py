"""Realistic data for any source, with a tally of what the pipeline must make of it. Runs no pipeline code."""
