"""The exports of config/pipeline.yml: which mart goes where, in which form, and when."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dagster_project.config_file import KeyPath, mapping, sequence, suggest
from dagster_project.config_types import Name, Place, Strict, Text, show
from dagster_project.provider_settings import Secret
from dagster_project.source_settings import ObjectStore

FOLDER = "folder"  # the place that every company has: `home`/exports
Format = Literal["csv", "parquet", "jsonl", "xlsx"]


class Mart(Strict):
    """Where the published mart goes, inside `home`."""

    folder: Place = Path("published")


class ExportDatabase(Strict):
    """A PostgreSQL database; `url` names the variable that holds its address. The tables stand in `schema`."""

    url: Secret
    schema_: Annotated[Name, Field(alias="schema")] = "public"


class Export(Strict):
    """A mart for somebody else: a file for each format, or a table in a database; all columns where none are named.

    `to` is `folder`, or one of the stores and databases. `every` says when: with each new day, or with the first of a
    new week (Monday) or month.
    """

    name: Name
    table: Text
    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = ("csv",)
    columns: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    to: Name = FOLDER
    every: Literal["day", "week", "month"] = "day"


class Page(Strict):
    """Where the page that people look at goes, inside `home`."""

    file: Place = Path("published/health.html")


class Destinations(Strict):
    """Everything the pipeline writes for others."""

    mart: Mart = Mart()
    exports: tuple[Export, ...] = ()
    stores: dict[Name, ObjectStore] = Field(default_factory=dict)
    databases: dict[Name, ExportDatabase] = Field(default_factory=dict)
    page: Page = Page()


def check_exports(destinations: dict[str, Any], marts: Collection[str]) -> Iterator[tuple[KeyPath, str]]:
    """What holds between the keys of `destinations`."""
    databases, stores = mapping(destinations.get("databases")), mapping(destinations.get("stores"))
    for name in (*stores, *databases):
        path: KeyPath = ("destinations", "stores" if name in stores else "databases", name)
        if name == FOLDER or (name in stores and name in databases):
            yield path, f"{show(name)} is the name of another place; choose another"
    seen: dict[Any, int] = {}
    for number, export in enumerate(mapping(entry) for entry in sequence(destinations.get("exports"))):
        here: KeyPath = ("destinations", "exports", number)
        table, label, to = export.get("table"), export.get("name"), export.get("to", FOLDER)
        if isinstance(table, str) and table not in marts:
            yield (*here, "table"), f"{show(table)} is no mart; {suggest(table, marts)}"
        if isinstance(label, str) and seen.setdefault(label, number) != number:
            yield (*here, "name"), f"{show(label)} is the name of an export above; each needs its own file name"
        if isinstance(to, str) and to not in (places := [FOLDER, *stores, *databases]):
            yield (*here, "to"), f"{show(to)} is no place of destinations.stores or .databases; {suggest(to, places)}"
        if to in databases and "formats" in export:
            yield (*here, "formats"), "goes with files; in a database it is a table: leave it out"
