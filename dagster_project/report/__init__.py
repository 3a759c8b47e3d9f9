"""What people look at: the page and the summary. Reads the published mart only; no dagster."""
