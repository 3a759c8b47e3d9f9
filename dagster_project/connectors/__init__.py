"""Pull: one module a provider, plain Python, no dagster. `files` is the provider that is always there."""
