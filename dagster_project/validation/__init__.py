"""Whether the score told the truth: scores laid beside what customers decided later. Reads marts only."""
