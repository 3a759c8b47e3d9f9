"""The scorecard's language: what a file may say, what is refused, its hash, and the tables that SQL joins."""
