"""`health doctor`: what is wrong with the installation, the configuration, the files; and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.settings import PROJECT_ROOT, ConfigError, Settings, load_settings


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `state` is ok, warning or problem; a problem stops a run."""

    state: str
    subject: str
    text: str


def examine() -> int:
    """Print every finding. Returns 0, or 1 if anything would stop a run."""
    findings = list(_findings())
    for finding in findings:
        mark = {"ok": "ok  ", "warning": "warn", "problem": "FAIL"}[finding.state]
        print(f"{mark}  {finding.subject}: {finding.text}")
    problems = sum(finding.state == "problem" for finding in findings)
    warnings = sum(finding.state == "warning" for finding in findings)
    print(f"\n{problems} to fix, {warnings} to know about." + ("" if problems else " `health run` can start."))
    return 1 if problems else 0


def _findings() -> Iterator[Finding]:
    yield _manifest()
    try:
        settings = load_settings()
    except ConfigError as error:
        yield Finding("problem", "configuration", f"mistakes in pipeline.yml:\n{error}")
        return
    yield Finding("ok", "configuration", f"{settings.config_path} is valid ({settings.company})")
    yield from _judgement(settings)
    yield _home(settings)
    yield _warehouse(settings)
    yield from _files(settings)
    for provider in settings.sources.providers:
        yield _provider(settings, provider)


def _manifest() -> Finding:
    manifest = PROJECT_ROOT / "dbt_project" / "target" / "manifest.json"
    if manifest.exists():
        return Finding("ok", "installation", "dbt's manifest is there")
    return Finding("problem", "installation", f"{manifest} is missing: `make setup` makes it")


def _judgement(settings: Settings) -> Iterator[Finding]:
    from dagster_project.scorecards.alerts import load_alerts
    from dagster_project.scorecards.load import load_scorecards

    try:
        scorecards = load_scorecards(settings.scorecards)
    except ConfigError as error:
        yield Finding("problem", "scorecards", f"mistakes:\n{error}")
        return
    names = ", ".join(f"{one.spec.lens}: {one.label}" for one in scorecards)
    yield Finding("ok", "scorecards", f"{len(scorecards)} are valid ({names})")
    try:
        rules = load_alerts(settings.alerts, lenses={one.spec.lens for one in scorecards}).rules
    except ConfigError as error:
        yield Finding("problem", "alerts", f"mistakes:\n{error}")
        return
    yield Finding("ok", "alerts", f"{len(rules)} rules are valid")


def _home(settings: Settings) -> Finding:
    place = settings.home
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        return Finding("problem", "home", f"{settings.home} cannot be written: {place} does not allow it")
    return Finding("ok", "home", f"{settings.home} can be written")


def _warehouse(settings: Settings) -> Finding:
    path = settings.warehouse_path
    if not path.exists():
        return Finding("ok", "warehouse", f"{path} will be made by the first run")
    try:
        with duckdb.connect(str(path), read_only=True) as warehouse:
            days = warehouse.execute("select count(*), min(day), max(day) from raw_meta.scored_days").fetchone()
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            return Finding("warning", "warehouse", "a run is under way; it holds the warehouse")
        return Finding("problem", "warehouse", f"{path} cannot be read: {str(error).splitlines()[0]}")
    except duckdb.CatalogException:
        return Finding("ok", "warehouse", f"{path} is there, no day is scored yet")
    count, first, last = days or (0, None, None)
    scored = "1 day" if count == 1 else f"{count} days"
    return Finding("ok", "warehouse", f"{scored} scored, {first} to {last}" if count else "no day is scored yet")


def _database(settings: Settings) -> Iterator[Finding]:
    from dagster_project.connectors.database import try_database
    from dagster_project.connectors.source_files import SourceFileError

    files = settings.sources.files
    if files is None or files.database is None:
        return
    try:
        for told in try_database(files):
            yield Finding("ok", "database", told)
    except SourceFileError as error:
        yield Finding("problem", "database", str(error))


def _files(settings: Settings) -> Iterator[Finding]:
    from dagster_project.connectors.inspection import check_files
    from dagster_project.connectors.source_files import SourceFileError

    if settings.sources.files is None:  # a CRM gives the accounts
        return
    folder = settings.sources.files.folder
    yield from _database(settings)
    is_made_here = settings.sources.files.store is not None or settings.sources.files.database is not None
    if not is_made_here and not Path(folder).is_dir():
        yield Finding("problem", "files", f"the folder {folder} is not there: make it, or change sources.files.folder")
        return
    for entity in settings.sources.files.entities:
        try:
            found = check_files(settings, entity)
        except SourceFileError as error:
            yield Finding("problem", entity, str(error))
            continue
        if not found:
            patterns = ", ".join(settings.sources.files.entities[entity].files)
            yield Finding("warning", entity, f"no file matches {patterns} yet: nothing of it will be known")
            continue
        fit = "1 file, its columns fit" if found == 1 else f"{found} files, their columns fit"
        yield Finding("ok", entity, f"{fit} the mapping")


def _provider(settings: Settings, provider: str) -> Finding:
    from dagster_project.connectors.providers import probe_provider
    from dagster_project.http_client import ProviderError
    from dagster_project.provider_settings import MissingKeyError

    try:
        return Finding("ok", provider, probe_provider(settings, provider))
    except (ProviderError, MissingKeyError) as error:
        return Finding("problem", provider, str(error))
