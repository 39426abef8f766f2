"""Tells GitHub what a check found: issues by its REST API, the history by git; only cli/ imports it, and nothing here judges."""
