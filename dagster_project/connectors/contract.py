"""A source's rows against an entity's contract, as SQL: what each row becomes, and the first thing wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dagster_project.connectors.casts import Clocks, Raw, as_text, typed
from dagster_project.connectors.sql_parameters import Parameters, literal
from dagster_project.entities import SQL_TYPES, Column, Entity
from dagster_project.settings import ColumnMapping, FileEntity
from dagster_project.warehouse import quoted

FIRST_DAY, LAST_DAY = "1970-01-01", "2200-01-01"  # a date outside them is a slip of the pen or a stand-in for "none"
UNKNOWN_SINCE = "1970-01-01"  # of a fact without any date: it was always known
MAX_VALUE = 80  # characters of a value that go to quarantine
UNREADABLE = -1  # no value of the row could be read; a JSON line that is no object looks like that

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
    """How the rows of one read become rows of the entity: SQL parts, their parameters, and the checks in order.

    `_fault` of a staged row is the number of the first check it fails, from 1, or NULL.
    """

    raws: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    finals: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)  # raw columns that come from the file
    checks: list[Check] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)  # column -> its value as text, where it may be shown
    parameters: Parameters = field(default_factory=Parameters)

    def select(self, source: str, note_unreadable: bool) -> str:
        """The statement that reads `source` (an SQL table function) into staged rows."""
        cases = [f"when {check.when} then {number}" for number, check in enumerate(self.checks, start=1)]
        if note_unreadable:
            cases.insert(0, f"when coalesce({', '.join(self.read)}) is null then {UNREADABLE}")
        fault = f"cast(case {' '.join(cases)} end as integer)" if cases else "cast(null as integer)"
        values = []
        for column, text in self.shown.items():
            numbers = [str(number) for number, check in enumerate(self.checks, start=1) if check.column == column]
            if numbers:
                values.append(f"when _fault in ({', '.join(numbers)}) then left({text}, {MAX_VALUE})")
        value = f"case {' '.join(values)} end" if values else "null"
        return (
            f"select {', '.join(self.finals)}, _path, _fault, cast(null as varchar) as _reason, "
            f"cast(case when _fault > 0 then {value} end as varchar) as _value from ("
            f"select *, {fault} as _fault from ("
            f"select *, {', '.join(self.typed)} from (select {', '.join([*self.raws, '_path'])} from {source})))"
        )

    def reasons(self) -> list[str]:
        """The reasons in the order of the checks' numbers."""
        return [check.reason for check in self.checks]

    def columns(self) -> list[str]:
        """The columns in the order of the checks' numbers."""
        return [check.column for check in self.checks]


def plan_rows(entity: Entity, mapping: FileEntity, sources: dict[str, Raw], clocks: Clocks, nulls_are_read: bool) -> Plan:
    """Plan one read. `sources` gives each mapped column of the file; `nulls_are_read`: the reader has made nulls of `nulls`."""
    plan = Plan()
    nulls = () if nulls_are_read else mapping.nulls
    for number, (name, column) in enumerate(entity.columns.items()):
        mapped = mapping.columns.get(name)
        value = _value(column, mapped, number, sources, clocks, nulls, plan)
        plan.finals.append(f"{_known_at(entity, value) if name == 'known_at' else value} as {quoted(name)}")
        if mapped is not None and mapped.through is None:
            raw = f"r{number}"
            is_needed = column.required or _is_way_to_account(entity, mapping, name)
            plan.checks.extend(_checks(name, column, mapped, raw, value, is_needed))
            if not column.personal:
                plan.shown[name] = f"cast({raw} as varchar)"
            if mapped.column is not None:
                plan.read.append(raw)
    return plan


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


def _value(
    column: Column, mapped: ColumnMapping | None, number: int, sources: dict[str, Raw], clocks: Clocks,
    nulls: tuple[str, ...], plan: Plan,
) -> str:  # fmt: skip
    """Add the raw and the typed expression of one column to the plan; returns the name of the typed one."""
    raw, name = Raw("null"), f"t{number}"
    if mapped is not None and mapped.value is not None:
        raw = Raw(f"cast({plan.parameters.bind(mapped.value)} as varchar)")
    elif mapped is not None and mapped.column is not None:
        raw = _recoded(_without_nulls(sources[mapped.column], nulls, plan.parameters), mapped.values, plan.parameters)
    plan.raws.append(f"{raw.sql} as r{number}")
    if mapped is None or mapped.through is not None:
        plan.typed.append(f"cast(null as {SQL_TYPES[column.type]}) as {name}")
    else:
        read = Raw(f"r{number}", raw.type)
        plan.typed.append(f"{typed(column.type, read, clocks, plan.parameters, mapped.format, mapped.scale)} as {name}")
    return name


def _without_nulls(raw: Raw, nulls: tuple[str, ...], parameters: Parameters) -> Raw:
    """NULL in the place of the texts that mean it. Tools write NaN for a missing number, so a NaN is what that text is."""
    if raw.family == "text" and nulls:
        listed = ", ".join(parameters.bind(text) for text in nulls)
        return Raw(f"case when {raw.sql} in ({listed}) then null else {raw.sql} end", raw.type)
    if raw.family == "float" and any(text.lower() == "nan" for text in nulls):
        return Raw(f"case when isnan({raw.sql}) then null else {raw.sql} end", raw.type)
    return raw


def _recoded(raw: Raw, values: dict[str, str], parameters: Parameters) -> Raw:
    if not values:
        return raw
    text = as_text(raw)
    cases = " ".join(f"when {parameters.bind(old)} then {parameters.bind(new)}" for old, new in values.items())
    return Raw(f"case {text} {cases} else {text} end")


def _known_at(entity: Entity, value: str) -> str:
    """When the fact could first be known; else when it happened; a fact without any date was always known."""
    happened = list(entity.columns).index(entity.happened)
    return f"coalesce({value}, cast(t{happened} as timestamp), timestamp '{UNKNOWN_SINCE}')"


def _checks(name: str, column: Column, mapped: ColumnMapping, raw: str, value: str, is_needed: bool) -> list[Check]:
    found: list[tuple[str, str]] = []
    if is_needed:
        blank = f" or trim({value}) = ''" if column.type == "text" else ""
        found.append(("is missing", f"{raw} is null{blank}"))
    if column.type in ("date", "timestamp"):
        written = f" written as {mapped.format}" if mapped.format else ""
        found.append((f"is not a {'date' if column.type == 'date' else 'time'}{written}", f"{raw} is not null and {value} is null"))
        end = f"> date '{LAST_DAY}'" if column.type == "date" else f">= timestamp '{LAST_DAY}' + interval 1 day"
        outside = f"{value} < {column.type} '{FIRST_DAY}' or {value} {end}"
        found.append((f"is outside {FIRST_DAY} to {LAST_DAY}", outside))
    elif column.type != "text":
        found.append((f"is {_NOT_A[column.type]}", f"{raw} is not null and {value} is null"))
    if column.minimum is not None:
        found.append((f"is below {column.minimum:g}", f"{value} < {column.minimum:g}"))
    if column.maximum is not None:
        found.append((f"is above {column.maximum:g}", f"{value} > {column.maximum:g}"))
    if column.allowed:
        listed = ", ".join(literal(text) for text in column.allowed)
        found.append((f"is none of {', '.join(column.allowed)}", f"{value} not in ({listed})"))
    return [Check(name, reason, when) for reason, when in found]
