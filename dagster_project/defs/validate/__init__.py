"""Whether what was published told the truth."""
