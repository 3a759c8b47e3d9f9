"""What a provider's connector says about the raw tables it fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dagster_project.entities import ENTITIES, SQL_TYPES, ColumnType
from dagster_project.provider_settings import CrmAccounts, Match


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


def account_columns(accounts: CrmAccounts | None, own_id: str, within: str = "") -> dict[str, RawColumn]:
    """The columns that make a CRM's company an account; NULL where config names no field. The id is `own_id` then.

    `within` is the object of the record that holds the fields.
    """
    contract = ENTITIES["accounts"].columns
    fields = {name: getattr(accounts, name, None) for name in CrmAccounts.model_fields if name != "only"}
    if accounts is not None:
        fields["account_id"] = accounts.account_id or own_id
    named = {
        f"account_{name.removeprefix('account_')}": RawColumn(contract[name].type, (within + path,) if path else ())
        for name, path in fields.items()
    }
    return {**named, "is_account": truth("is_account")}


def is_account(fields: Mapping[str, object], accounts: CrmAccounts | None, own_id: str) -> bool | None:
    """Whether a company with these fields is a customer: it has an account's id, and the values that config wants.

    None where config does not take accounts from this CRM.
    """
    if accounts is None:
        return None
    told = _told(fields, accounts.account_id or own_id)
    is_named = told is not None and str(told).strip() != ""
    return is_named and all(str(_told(fields, name)) in values for name, values in accounts.only.items())


def _told(fields: Mapping[str, object], path: str) -> object:
    """The value of a field; of an object's field by its path."""
    value: object = fields
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def email_domain(address: object) -> str | None:
    """What is kept of an e-mail address; None where it is none."""
    return address.rpartition("@")[2].strip().lower() or None if isinstance(address, str) and "@" in address else None


@dataclass(frozen=True)
class RawTable:
    """One kind of object. `keep` lists the fields that are stored, by path; nothing else ever reaches the warehouse.

    `parts` of an object (the items of a subscription) have a table of their own: its name, where they lie, columns.
    `opens` is the entity whose days a new row touches: the day of `created` for the first row of an object, the
    day of loading for the later ones, and those of the columns `settles`. Of an object that never `changes` (an event)
    the first row counts, and what comes again is not looked at. `judged_by` is what in config the connector judges
    records by: when it changes, everything is asked for again.
    """

    name: str
    keep: tuple[str, ...]
    columns: dict[str, RawColumn]
    parts: tuple[str, str, dict[str, RawColumn]] | None = None
    opens: str | None = None
    created: str = "created_at"
    settles: tuple[str, ...] = ()
    changes: bool = True
    judged_by: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The table, and that of its parts."""
        return (self.name,) if self.parts is None else (self.name, self.parts[0])
