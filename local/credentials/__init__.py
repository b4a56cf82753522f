"""Credentials that every Google client takes as they are, and the server that honours them."""
