"""Push for people: breaches flagged."""
