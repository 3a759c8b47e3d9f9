"""Reusable Dagster shapes; defs/ makes instances of them."""
