"""Push: where results go. Reads marts only; no dagster."""
