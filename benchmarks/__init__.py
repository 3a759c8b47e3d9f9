"""How long the project takes, and what others take for the same work; README.md says how to run it."""
