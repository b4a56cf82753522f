"""Installing the local cloud. Standard library only: nothing is installed yet when this runs."""
