"""Operators, sensors and triggers: thin, with heavy imports inside execute()."""
