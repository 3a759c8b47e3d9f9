"""The measures that exist, read from where they are defined: the columns of dbt_project/models/measures/*.yml.

A measure is a column there whose `config.meta.measure` says what it is. Nothing else lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.config_file import ConfigError, mapping, read_document, sequence, shown_path
from dagster_project.settings import PROJECT_ROOT

MEASURES_FOLDER = PROJECT_ROOT / "dbt_project" / "models" / "measures"


@dataclass(frozen=True)
class Measure:
    """A measure, in words.

    `unit` and `direction` are as in the dbt file's head; `says` is a sentence with `{value}` in it; `needs` lists the
    entities or columns without which the measure stays NULL.
    """

    name: str
    title: str
    domain: str
    unit: str
    direction: str
    needs: tuple[str, ...]
    says: str


def known_measures(folder: Path = MEASURES_FOLDER) -> dict[str, Measure]:
    """Every measure by name, in the order written. Raises ConfigError when the folder defines none."""
    found: dict[str, Measure] = {}
    for path in sorted(folder.glob("*.yml")):
        for model in sequence(read_document(path).data.get("models")):
            found.update((measure.name, measure) for measure in _measures_of(mapping(model)))
    if not found:
        raise ConfigError(
            [f"{shown_path(folder)}: defines no measure; give a column `config: {{meta: {{measure: ..}}}}`"]
        )
    return found


def _measures_of(model: dict[str, Any]) -> Iterator[Measure]:
    for column in (mapping(entry) for entry in sequence(model.get("columns"))):
        meta = mapping(mapping(mapping(column.get("config")).get("meta")).get("measure"))
        if meta:
            name = str(column.get("name"))
            yield Measure(
                name=name,
                title=str(meta.get("title", name)),
                domain=str(meta.get("domain", "")),
                unit=str(meta.get("unit", "number")),
                direction=str(meta.get("direction", "up")),
                needs=tuple(str(need) for need in sequence(meta.get("needs"))),
                says=str(meta.get("says", "")),
            )
