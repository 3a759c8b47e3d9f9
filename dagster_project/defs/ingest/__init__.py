"""Pull: sources and configuration into raw tables."""
