"""The cloud on a laptop: installs, starts, checks and stops its parts."""
