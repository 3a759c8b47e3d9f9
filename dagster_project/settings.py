"""config/pipeline.yml and the environment, read and validated once.

    settings = load_settings()

Two variables of the environment matter: HEALTH_CONFIG names another pipeline.yml, HEALTH_DATA another folder of files.
Everything else stands in the file. `Settings` mirrors the file key by key; paths in it are absolute.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from dagster_project.config_file import ConfigError, KeyPath, mapping, read_document, sequence, validate
from dagster_project.config_types import Day, Number, Place, Strict, Text, Timezone, Whole, refuse, show
from dagster_project.export_settings import FOLDER, Destinations, Export, check_exports
from dagster_project.source_settings import (
    ColumnMapping,
    FileEntity,
    FilesSource,
    Sources,
    check_sources,
    format_of,
)
from dagster_project.write_back_settings import WriteBack, check_write_back

__all__ = [
    "MARTS",
    "PROJECT_ROOT",
    "ColumnMapping",
    "ConfigError",
    "Export",
    "FileEntity",
    "FilesSource",
    "Settings",
    "format_of",
    "load_settings",
]

PROJECT_ROOT = Path(__file__).resolve().parents[1]

MARTS = (
    "current_health",
    "dim_account_links",
    "dim_accounts",
    "dim_scorecard_measures",
    "dim_scorecards",
    "fct_breaches",
    "fct_health_scores",
    "fct_input_issues",
    "fct_mass_moves",
    "fct_measure_scores",
    "fct_outcome_scores",
    "fct_parent_scores",
    "fct_score_changes",
    "fct_unmatched_records",
)

# How far behind a day lie the facts that its score is made from: windows of 84 days ago, of the 28 days before them.
# First and last use ever reach further; they rest on daily facts, which stay.
DAYS_LOOKED_BACK = 112

MAX_KEY_FEATURES = 60  # each is one bit of a 64-bit mask in the daily facts


def _clock(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise refuse(f'should be a time of day written as "HH:MM", such as "06:00"; is {show(value)}')
    return value


def _size(value: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?\s*[KMGT]i?B", value):
        raise refuse(f"should be a size, such as 1GB or 512MB; is {show(value)}")
    return value


class Days(Strict):
    """The days that get a score. `last` is left out where the source is live."""

    first: Day
    last: Day | None = None


class Schedule(Strict):
    """When Dagster runs the day's job by itself: daily; when files land; and for sources that are called, often."""

    enabled: bool = Field(default=False, strict=True)
    at: Annotated[Text, AfterValidator(_clock)] = "06:00"
    timezone: Timezone = "UTC"
    when_files_land: bool = Field(default=False, strict=True)
    every_minutes: Literal[5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720] | None = None


class Warehouse(Strict):
    """What DuckDB may use: memory, and threads."""

    memory_limit: Annotated[Text, AfterValidator(_size)] = "1GB"
    threads: Annotated[Whole, Field(ge=1)] = 2


def _master(value: str) -> str:
    if not re.fullmatch(r"local(\[[\d*]+\])?|local-cluster\[\d+, ?\d+, ?\d+\]|yarn|(spark|k8s)://\S+", value):
        raise refuse(
            "should be where Spark runs, such as local[2], local-cluster[2,1,1024], yarn or spark://host:7077; "
            f"is {show(value)}"
        )
    return value


class Engine(Strict):
    """What runs the models: DuckDB, or Apache Spark with this master, memory of its driver and further settings."""

    name: Literal["duckdb", "spark"] = "duckdb"
    master: Annotated[Text, AfterValidator(_master)] = "local[2]"
    memory: Annotated[Text, AfterValidator(_size)] = "2GB"
    settings: dict[str, Text] = Field(default_factory=dict)


class Billing(Strict):
    """What the measures of billing cannot read from invoices: the gross margin, a share of 1."""

    gross_margin: Annotated[Number, Field(gt=0, le=1)] | None = None


class Retention(Strict):
    """How many days raw usage is kept; and within how many days an event that comes again is told from a new one."""

    usage_events_days: Annotated[Whole, Field(ge=1)] | None = None
    repeats_days: Annotated[Whole, Field(ge=28)] = 90


class PipelineFile(Strict):
    """The keys of pipeline.yml."""

    company: Text
    home: Place
    timezone: Timezone = "UTC"
    days: Days
    look_back_days: Annotated[Whole, Field(ge=0)] = 7
    outage_share: Annotated[Number, Field(gt=0, le=1)] = 0.8
    scorecards: Place = Path("config/scorecards")
    alerts: Place = Path("config/alerts.yml")
    schedule: Schedule = Schedule()
    warehouse: Warehouse = Warehouse()
    engine: Engine = Engine()
    key_features: dict[str, tuple[Text, ...]] = Field(default_factory=dict)
    billing: Billing = Billing()
    retention: Retention = Retention()
    sources: Sources
    destinations: Destinations = Destinations()
    write_back: WriteBack = WriteBack()


class Settings(PipelineFile):
    """pipeline.yml with absolute paths, and where it was read from."""

    config_path: Path

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file that the pipeline writes; nobody else opens it. Each engine has its own: what the one has
        scored and kept is not there for the other.
        """
        return (self.home / "spark" if self.engine.name == "spark" else self.home) / "warehouse.duckdb"

    @property
    def mart_folder(self) -> Path:
        """Where the published mart is swapped in."""
        return self.home / self.destinations.mart.folder

    @property
    def exports_folder(self) -> Path:
        """Where exports are written."""
        return self.home / "exports"

    @property
    def page_path(self) -> Path:
        """The page that people look at."""
        return self.home / self.destinations.page.file

    @property
    def alert_book(self) -> Path:
        """What people did about breaches, and what they were told; it cannot be made again."""
        return self.home / "alerts" / "alerts.sqlite"

    @property
    def write_back_book(self) -> Path:
        """What each CRM took last; where it is lost, everything is sent once more."""
        return self.home / "write_back" / "write_back.sqlite"

    @property
    def delivered_paths(self) -> list[Path]:
        """Every file and folder that a run leaves for others."""
        exports = self.destinations.exports
        return [
            self.mart_folder / "mart.duckdb",
            self.mart_folder / "parquet" / "current",
            self.page_path,
            *(
                self.exports_folder / f"{export.name}.{kind}"
                for export in exports
                for kind in export.formats
                if export.to == FOLDER
            ),
        ]

    @property
    def dagster_home(self) -> Path:
        """Dagster's own state: runs, schedules, event log."""
        return self.home / "dagster"

    @property
    def features(self) -> list[str]:
        """Every key feature once, in the order written: its place (0..59) is its bit in the daily facts."""
        return list(dict.fromkeys(name for names in self.key_features.values() for name in names))

    @property
    def repeats_days(self) -> int | None:
        """Within how many days an event that comes again is told from a new one; None where all raw usage is kept."""
        return None if self.retention.usage_events_days is None else self.retention.repeats_days

    @property
    def content_hash(self) -> str:
        """12 hex digits over what changes numbers: time zone, key features, margin, repeats, mapping; not paths."""
        mapped: dict[str, Any] = {"timezone": self.timezone, "key_features": self.key_features}
        if self.billing.gross_margin is not None:
            mapped["billing"] = self.billing.model_dump()
        if self.repeats_days is not None:
            mapped["repeats_days"] = self.repeats_days
        if self.sources.files is not None:
            mapped["files"] = self.sources.files.model_dump(mode="json", exclude={"folder", "store", "database"})
        for name, source in self.sources.providers.items():
            mapped[name] = source.match.model_dump(mode="json", include={"by", "external_id", "domain"})
        return hashlib.sha256(json.dumps(mapped, sort_keys=True).encode()).hexdigest()[:12]

    def last_day(self, today: date) -> date:
        """The last day to score: the configured one, else the day before `today`; never before the first."""
        return max(self.days.last or today - timedelta(days=1), self.days.first)


def load_settings(config: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read pipeline.yml.

    `config` wins over HEALTH_CONFIG, which wins over config/pipeline.yml of the project. A relative name is looked for
    in the current folder, then in the project's. Raises ConfigError with every problem of the file.
    """
    environ = os.environ if environ is None else environ
    path = _config_path(config, environ.get("HEALTH_CONFIG"))
    file = validate(read_document(path), PipelineFile, (_check_file, check_sources, check_write_back))
    content = {name: getattr(file, name) for name in PipelineFile.model_fields}
    for name in ("home", "scorecards", "alerts"):
        content[name] = _absolute(content[name], PROJECT_ROOT)
    if file.sources.files is not None:
        data = environ.get("HEALTH_DATA")
        folder = _absolute(Path(data), Path.cwd()) if data else _absolute(file.sources.files.folder, PROJECT_ROOT)
        files = file.sources.files.model_copy(update={"folder": folder})
        content["sources"] = file.sources.model_copy(update={"files": files})
    content["sources"] = _with_absolute_mappings(content["sources"])
    return Settings.model_construct(**content, config_path=path)


def _with_absolute_mappings(sources: Sources) -> Sources:
    """The providers' mapping tables by absolute path."""
    update = {}
    for name, source in sources.providers.items():
        if source.match.mapping is not None:
            match = source.match.model_copy(update={"mapping": _absolute(source.match.mapping, PROJECT_ROOT)})
            update[name] = source.model_copy(update={"match": match})
    return sources.model_copy(update=update)


def _config_path(config: Path | None, named: str | None) -> Path:
    path = config or (Path(named) if named else PROJECT_ROOT / "config" / "pipeline.yml")
    here = _absolute(path, Path.cwd())
    return here if here.exists() else _absolute(path, PROJECT_ROOT)


def _absolute(path: Path, base: Path) -> Path:
    """Absolute and without '..'; symbolic links stay as they are written."""
    return Path(os.path.normpath(base / path.expanduser()))


def _check_file(data: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """What holds between the keys of pipeline.yml (the sources apart)."""
    yield from _check_days(mapping(data.get("days")))
    yield from _check_key_features(data)
    yield from _check_retention(data)
    files = mapping(mapping(data.get("sources")).get("files"))
    if mapping(data.get("schedule")).get("when_files_land") is True:
        for fetched in ("store", "database"):
            if fetched in files:
                yield (
                    ("schedule", "when_files_land"),
                    f"the run itself fetches the files of sources.files.{fetched}; take every_minutes instead",
                )
        if not files:
            yield ("schedule", "when_files_land"), "there are no files: sources.files is missing"
    yield from check_exports(mapping(data.get("destinations")), MARTS)
    for key in mapping(mapping(data.get("engine")).get("settings")):
        if not str(key).startswith("spark."):
            yield (
                ("engine", "settings", str(key)),
                f"{show(key)} is no setting of Spark: their names begin with 'spark.'",
            )


def _check_days(days: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    try:
        first, last = (date.fromisoformat(days[key]) for key in ("first", "last"))
    except (KeyError, TypeError, ValueError):
        return  # left out, or no date: told elsewhere
    if last < first:
        yield ("days", "last"), f"{last} is before the first day, {first}; swap them or leave `last` out"


def _check_retention(data: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    retention = mapping(data.get("retention"))
    kept, repeats = retention.get("usage_events_days"), retention.get("repeats_days", Retention().repeats_days)
    look_back = data.get("look_back_days", 7)
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in (kept, repeats, look_back)):
        return  # left out, or no whole number: told elsewhere
    least = repeats + look_back + DAYS_LOOKED_BACK
    if kept < least:
        yield (
            ("retention", "usage_events_days"),
            f"{kept} days are too few: scores look back {DAYS_LOOKED_BACK} days, late facts {look_back} "
            f"(look_back_days) and repeats {repeats} (repeats_days); at least {least}",
        )


def _check_key_features(data: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    plans = mapping(data.get("key_features"))
    if plans and "default" not in plans:
        yield ("key_features",), "'default' is missing: it is for every plan that is not named"
    for plan, features in plans.items():
        names = [name for name in sequence(features) if isinstance(name, str)]
        if features == []:
            yield ("key_features", plan), "names no feature; name at least one, or leave the plan out"
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield ("key_features", plan), f"{show(name)} stands here twice; once is enough"
    distinct = {name for features in plans.values() for name in sequence(features) if isinstance(name, str)}
    if len(distinct) > MAX_KEY_FEATURES:
        yield ("key_features",), f"has {len(distinct)} different features; at most {MAX_KEY_FEATURES} can be counted"
