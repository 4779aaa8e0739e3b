"""Witnesses: the folder in which one remembers, what it answers, and its server."""
