"""What a provider's connector says about the raw tables it fills."""

from __future__ import annotations

from dataclasses import dataclass

from dagster_project.entities import SQL_TYPES, ColumnType
from dagster_project.provider_settings import Match


@dataclass(frozen=True)
class RawColumn:
    """A column used: the first of `paths` that is there; without a path it is NULL. Times are the company's."""

    type: ColumnType | str
    paths: tuple[str, ...]

    @property
    def sql_type(self) -> str:
        """The column's type in the warehouse."""
        return "timestamp" if self.type == "epoch" else SQL_TYPES[self.type]  # type: ignore[index]


def text(*paths: str) -> RawColumn:
    """A column of text."""
    return RawColumn("text", paths)


def whole(*paths: str) -> RawColumn:
    """A column of whole numbers."""
    return RawColumn("integer", paths)


def number(*paths: str) -> RawColumn:
    """A column of decimals."""
    return RawColumn("decimal", paths)


def truth(*paths: str) -> RawColumn:
    """A column of true and false."""
    return RawColumn("boolean", paths)


def time(*paths: str) -> RawColumn:
    """A column of times as ISO 8601 writes them; without an offset they are UTC."""
    return RawColumn("timestamp", paths)


def epoch(*paths: str) -> RawColumn:
    """A column of times in seconds since 1970."""
    return RawColumn("epoch", paths)


def matching(match: Match, within: str = "") -> tuple[tuple[str, ...], dict[str, RawColumn]]:
    """The fields that `match` names, `within` an object of the record; and the columns made of them."""
    named = {"external_id": match.external_id, "domain": match.domain}
    paths = {name: within + path for name, path in named.items() if path}
    return tuple(paths.values()), {name: text(*([paths[name]] if name in paths else [])) for name in named}


def email_domain(address: object) -> str | None:
    """What is kept of an e-mail address; None where it is none."""
    return address.rpartition("@")[2].strip().lower() or None if isinstance(address, str) and "@" in address else None


@dataclass(frozen=True)
class RawTable:
    """One kind of object. `keep` lists the fields that are stored, by path; nothing else ever reaches the warehouse.

    `parts` of an object (the items of a subscription) have a table of their own: its name, where they lie, columns.
    `opens` is the entity whose days a new row touches: the day of `created` for the first row of an object, the
    day of loading for the later ones, and those of the columns `settles`. Of an object that never `changes` (an event)
    the first row counts, and what comes again is not looked at.
    """

    name: str
    keep: tuple[str, ...]
    columns: dict[str, RawColumn]
    parts: tuple[str, str, dict[str, RawColumn]] | None = None
    opens: str | None = None
    created: str = "created_at"
    settles: tuple[str, ...] = ()
    changes: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The table, and that of its parts."""
        return (self.name,) if self.parts is None else (self.name, self.parts[0])
