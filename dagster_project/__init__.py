"""Customer health, as a pipeline: orchestration, extraction and delivery."""
