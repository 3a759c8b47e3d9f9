"""Instances only; a folder is a stage, and a stage is a group."""
