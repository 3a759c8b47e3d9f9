"""What a score depends on beside the facts: the scorecards, the alert rules, the mapping and the models themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dagster_project.settings import PROJECT_ROOT, Settings


def inputs_hash(settings: Settings) -> str:
    """12 hex digits over scorecards, alert rules, mapping, tables of matched customers and dbt's files.

    When it changes, scores may change.
    """
    digest = hashlib.sha256(settings.content_hash.encode())
    for path in _files(settings):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _files(settings: Settings) -> list[Path]:
    dbt = PROJECT_ROOT / "dbt_project"
    found = [settings.alerts, *settings.scorecards.glob("*.yml"), dbt / "dbt_project.yml"]
    for folder in ("models", "macros"):
        found += [path for path in (dbt / folder).rglob("*") if path.suffix in {".sql", ".yml"}]
    matches = [source.match for source in settings.sources.providers.values()]
    found += [match.mapping for match in matches if match.mapping is not None]
    return sorted(path for path in found if path.is_file())
