"""What every command begins with."""

from __future__ import annotations

import typer

from dagster_project.settings import ConfigError, Settings, load_settings


def settings_or_exit() -> Settings:
    """The settings; a mistake in them ends the command with exit code 2 and its lines."""
    try:
        return load_settings()
    except ConfigError as error:
        typer.echo(f"The configuration has a mistake:\n{error}", err=True)
        raise typer.Exit(2) from error
