"""A source's rows against an entity's contract, as SQL: what each row becomes, and the first thing wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dagster_project.connectors.casts import Clocks, Raw, as_text, typed
from dagster_project.connectors.sql_parameters import Parameters, choose
from dagster_project.entities import SQL_TYPES, Column, Entity
from dagster_project.settings import ColumnMapping, FileEntity
from dagster_project.warehouse import literal, quoted

FIRST_DAY, LAST_DAY = "1970-01-01", "2200-01-01"  # a date outside them is a slip of the pen or a stand-in for "none"
UNKNOWN_SINCE = "1970-01-01"  # of a fact without any date: it was always known
MAX_VALUE = 80  # characters of a value that go to quarantine
MISSING = "is missing"
UNREADABLE = -1  # `_fault` of a JSON line without any mapped value: it may be no JSON at all

_NOT_A = {"integer": "not a whole number", "decimal": "not a number", "boolean": "not true or false"}
_REACHED_BY = {"users": "user_id", "subscriptions": "subscription_id"}


@dataclass(frozen=True)
class Check:
    """One way to break the contract: `when` is SQL that is true for a faulty row."""

    column: str
    reason: str
    when: str


@dataclass
class Plan:
    """How the rows of one read become rows of the entity: SQL, its parameters, and the checks in order.

    `sources` gives each mapped column of the file; `nulls` are the texts that mean nothing, where the reader has not
    seen to them. `_fault` of a staged row is the number of the first check it fails, from 1, or NULL.
    """

    entity: Entity
    mapping: FileEntity
    sources: dict[str, Raw]
    clocks: Clocks
    nulls: tuple[str, ...]
    parameters: Parameters = field(default_factory=Parameters)
    checks: list[Check] = field(default_factory=list)
    _raws: list[str] = field(default_factory=list)
    _typed: list[str] = field(default_factory=list)
    _finals: list[str] = field(default_factory=list)
    _shown: dict[str, str] = field(default_factory=dict)  # column -> its value as text, where it may be shown

    def __post_init__(self) -> None:
        for number, (name, column) in enumerate(self.entity.columns.items()):
            mapped = self.mapping.columns.get(name)
            self._add_value(number, column, mapped)
            value = _known_at(self.entity, f"t{number}") if name == "known_at" else f"t{number}"
            self._finals.append(f"{value} as {quoted(name)}")
            if mapped is None or mapped.through is not None:
                continue
            is_needed = column.required or _is_way_to_account(self.entity, self.mapping, name)
            self.checks += _checks(name, column, number, is_needed=is_needed, pattern=mapped.format)
            if column.after is not None:
                other = list(self.entity.columns).index(column.after)
                self.checks.append(Check(name, f"is not after {column.after}", f"t{number} <= t{other}"))
            if not column.personal:
                self._shown[name] = f"cast(r{number} as varchar)"

    def _add_value(self, number: int, column: Column, mapped: ColumnMapping | None) -> None:
        """Add a column's value as the source gives it (r1, r2 ...) and as the contract wants it (t1, t2 ...)."""
        raw = Raw("null")
        if mapped is not None and mapped.value is not None:
            raw = Raw(f"cast({self.parameters.bind(mapped.value)} as varchar)")
        elif mapped is not None and mapped.column is not None:
            raw = _without_nulls(self.sources[mapped.column], self.nulls, self.parameters)
            raw = _recoded(raw, mapped.values, self.parameters)
        self._raws.append(f"{raw.sql} as r{number}")
        value = f"cast(null as {SQL_TYPES[column.type]})"
        if mapped is not None and mapped.through is None:
            read = Raw(f"r{number}", raw.type)
            value = typed(column.type, read, self.clocks, self.parameters, pattern=mapped.format, scale=mapped.scale)
        self._typed.append(f"{value} as t{number}")

    def select(self, source: str, *, note_unreadable: bool) -> str:
        """The statement that reads `source` (an SQL table function) into staged rows."""
        raws = [*self._raws, "_path"]
        cases = [f"when {check.when} then {number}" for number, check in enumerate(self.checks, start=1)]
        if note_unreadable:
            cases.insert(0, f"when _is_blank then {UNREADABLE}")
            raws.append(f"coalesce({', '.join(raw.sql for raw in self.sources.values())}) is null as _is_blank")
        values = [
            (str(number), f"left({self._shown[check.column]}, {MAX_VALUE})")
            for number, check in enumerate(self.checks, start=1)
            if check.column in self._shown
        ]
        return (
            f"select {', '.join(self._finals)}, _path, _fault, cast(null as varchar) as _reason, "
            f"cast(case when _fault > 0 then {choose('_fault', values)} end as varchar) as _value "
            f"from (select *, cast(case {' '.join([*cases, 'else null'])} end as integer) as _fault "
            f"from (select *, {', '.join(self._typed)} "
            f"from (select {', '.join(raws)} from {source})))"
        )

    def first_needed(self) -> str | None:
        """The first column that every row needs."""
        return next((check.column for check in self.checks if check.reason == MISSING), None)


def through(mapping: FileEntity) -> str | None:
    """The entity by which the account is reached; None where the rows name it."""
    account = mapping.columns.get("account_id")
    return account.through if account is not None else None


def _is_way_to_account(entity: Entity, mapping: FileEntity, name: str) -> bool:
    """Whether a row without this column could never be brought to an account."""
    if not entity.may_reach_account:
        return False
    by = through(mapping)
    return name == ("account_id" if by is None else _REACHED_BY[by])


def _without_nulls(raw: Raw, nulls: tuple[str, ...], parameters: Parameters) -> Raw:
    """NULL in the place of the texts that mean it. A NaN, by which tools mean a missing number, is what its text is."""
    if raw.family == "text" and nulls:
        return Raw(choose(raw.sql, [(parameters.bind(text), "null") for text in nulls], raw.sql), raw.type)
    if raw.family == "float" and any(text.lower() == "nan" for text in nulls):
        return Raw(f"case when isnan({raw.sql}) then null else {raw.sql} end", raw.type)
    return raw


def _recoded(raw: Raw, values: dict[str, str], parameters: Parameters) -> Raw:
    if not values:
        return raw
    text = as_text(raw)
    return Raw(choose(text, [(parameters.bind(old), parameters.bind(new)) for old, new in values.items()], text))


def _known_at(entity: Entity, value: str) -> str:
    """When the fact could first be known; else when it happened; a fact without any date was always known."""
    happened = list(entity.columns).index(entity.happened)
    return f"coalesce({value}, cast(t{happened} as timestamp), timestamp '{UNKNOWN_SINCE}')"


def _checks(name: str, column: Column, number: int, *, is_needed: bool, pattern: str | None) -> list[Check]:
    """The checks of one column in order; `pattern` is the date format it is written in."""
    raw, value = f"r{number}", f"t{number}"
    misfit = f"{raw} is not null and {value} is null"
    found: list[tuple[str, str]] = []
    if is_needed:
        # What begins with a blank sorts before '!'; looking at that first spares the trimming.
        blank = f" or case when {value} < '!' then trim({value}) = '' else false end" if column.type == "text" else ""
        found.append((MISSING, f"{raw} is null{blank}"))
    if column.type in ("date", "timestamp"):
        written = f" written as {pattern}" if pattern else ""
        end = f"> date '{LAST_DAY}'" if column.type == "date" else f">= timestamp '{LAST_DAY}' + interval 1 day"
        found.append((f"is not a {'date' if column.type == 'date' else 'time'}{written}", misfit))
        found.append(
            (f"is outside {FIRST_DAY} to {LAST_DAY}", f"{value} < {column.type} '{FIRST_DAY}' or {value} {end}")
        )
    elif column.type != "text":
        found.append((f"is {_NOT_A[column.type]}", misfit))
    if column.minimum is not None:
        found.append((f"is below {column.minimum:g}", f"{value} < {column.minimum:g}"))
    if column.maximum is not None:
        found.append((f"is above {column.maximum:g}", f"{value} > {column.maximum:g}"))
    if column.allowed:
        is_other = choose(value, [(literal(text), "false") for text in column.allowed], "true")
        found.append((f"is none of {', '.join(column.allowed)}", f"{value} is not null and {is_other}"))
    return [Check(name, reason, when) for reason, when in found]
