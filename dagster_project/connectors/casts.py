"""How a source's value becomes a value of the contract's type: one SQL expression for each pair of types.

An expression gives NULL where the value does not fit; the contract's checks then say so. What text is a number or a
time is decided here by pattern and not by DuckDB's own casts, which read 12.5 as the whole number 13, drop the offset
of a time without a word, and differ between DuckDB's versions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from dagster_project.connectors.sql_parameters import Parameters, choose
from dagster_project.entities import SQL_TYPES, ColumnType
from dagster_project.warehouse import literal

_WHOLE = r"\s*[+-]?\d+(\.0*)?\s*"
_NUMBER = r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*"
_DAY = r"\s*\d{4}[-/]\d\d?[-/]\d\d?\s*"
_CLOCK = r"\s*\d{4}[-/]\d\d?[-/]\d\d?[T ]\d\d?:\d\d(:\d\d(\.\d{1,9})?)?"
_NAIVE = _CLOCK + r"\s*"
_UTC = _CLOCK + r" ?(Z|UTC)\s*"
_OFFSET = _CLOCK + r" ?[+-]\d\d(:?\d\d)?\s*"
_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0")
_EARLIEST, _LATEST = "timestamp '0001-01-01'", "timestamp '9999-12-31'"  # beyond them time zones overflow


@dataclass(frozen=True)
class Raw:
    """A value as the source gives it: an SQL expression, and DuckDB's name of its type."""

    sql: str
    type: str = "VARCHAR"

    @property
    def family(self) -> str:
        """text, integer, float, decimal, boolean, date, timestamp, instant (a time with its zone) or other."""
        if self.type.startswith("DECIMAL"):
            return "decimal"
        if self.type.startswith("TIMESTAMP"):
            return "instant" if "TIME ZONE" in self.type else "timestamp"
        if re.fullmatch(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER", self.type):
            return "integer"
        return {"VARCHAR": "text", "FLOAT": "float", "DOUBLE": "float", "BOOLEAN": "boolean", "DATE": "date"}.get(
            self.type, "other"
        )


@dataclass(frozen=True)
class Clocks:
    """Time zones: `company` is where a day begins and ends, `source` that of times which carry no offset."""

    company: str
    source: str

    def from_source(self, naive: str) -> str:
        """A time without offset, as the company's clocks showed it."""
        if self.company == self.source:
            return naive
        return f"timezone({literal(self.company)}, timezone({literal(self.source)}, {naive}))"

    def from_utc(self, naive: str) -> str:
        """A time given in UTC, as the company's clocks showed it."""
        return Clocks(self.company, "UTC").from_source(naive)

    def from_instant(self, instant: str) -> str:
        """A time that carries its zone, as the company's clocks showed it."""
        return self.from_utc(f"timezone('UTC', {instant})")


def as_text(raw: Raw) -> str:
    """The value as text; a whole number that a tool has stored as 12.0 is 12 again."""
    r = raw.sql
    if raw.family == "text":
        return r
    if raw.family == "float":
        whole = f"isfinite({r}) and {r} = trunc({r}) and abs({r}) < 1e15"
        return f"case when {whole} then cast(cast({r} as bigint) as varchar) else cast({r} as varchar) end"
    return f"cast({r} as varchar)"


def typed(
    kind: ColumnType, raw: Raw, clocks: Clocks, parameters: Parameters, *, pattern: str | None, scale: float | None
) -> str:
    """SQL that gives the value in the contract's type, or NULL when it does not fit.

    `pattern` is a strptime format for text; `scale` multiplies a number (whole numbers are rounded after it).
    """
    if kind == "text":
        return as_text(raw)
    if kind in ("integer", "decimal"):
        return _number(kind, raw, None if scale is None else parameters.bind(scale))
    if kind == "boolean":
        return _boolean(raw)
    time = _timestamp(raw, clocks, None if pattern is None else parameters.bind(pattern), pattern or "", kind == "date")
    return f"cast({time} as date)" if kind == "date" else time


def _number(kind: ColumnType, raw: Raw, scale: str | None) -> str:
    r, target = raw.sql, SQL_TYPES[kind]
    if raw.family not in ("text", "integer", "float", "decimal", "boolean"):
        return f"cast(null as {target})"
    if scale is not None:
        number = f"case when regexp_full_match({r}, '{_NUMBER}') then {r} end" if raw.family == "text" else r
        product = f"try_cast({number} as double) * {scale}::double"
        return f"try_cast({f'round({product})' if kind == 'integer' else product} as {target})"
    if raw.family == "text":
        shape = _WHOLE if kind == "integer" else _NUMBER
        return f"case when regexp_full_match({r}, '{shape}') then try_cast({r} as {target}) end"
    if kind == "integer" and raw.family in ("float", "decimal"):
        return f"case when {r} = trunc({r}) then try_cast({r} as {target}) end"
    return f"try_cast({r} as {target})"


def _boolean(raw: Raw) -> str:
    if raw.family == "boolean":
        return raw.sql
    word = f"lower(trim({as_text(raw)}))"
    words = [(literal(text), "true") for text in _TRUE] + [(literal(text), "false") for text in _FALSE]
    return choose(word, words)


def _timestamp(raw: Raw, clocks: Clocks, pattern: str | None, pattern_text: str, is_day: bool) -> str:
    """A time on the company's clocks. A bare date is a day and is not shifted; nor is any naive time read as a day."""
    r = raw.sql
    from_source = (lambda naive: naive) if is_day else clocks.from_source
    if raw.family == "timestamp":
        return from_source(_clamped(r, "timestamp"))
    if raw.family == "instant":
        return clocks.from_instant(_clamped(r, "timestamptz"))
    if raw.family == "date":
        return f"cast({r} as timestamp)"
    if raw.family != "text":
        return "cast(null as timestamp)"
    if pattern is not None:
        parsed = f"try_strptime({r}, {pattern})"
        if "%z" in pattern_text.lower():
            return clocks.from_instant(parsed)
        has_clock = any(code in pattern_text for code in ("%H", "%I", "%c", "%X"))
        return from_source(parsed) if has_clock else parsed
    return _timestamp_of_text(r, clocks, from_source)


def _clamped(r: str, kind: str) -> str:
    """A time within the years that can be converted; what is cut off lies outside the contract all the same."""
    time, first, last = (f"cast({one} as {kind})" for one in (r, _EARLIEST, _LATEST))
    return f"case when {time} > {last} then {last} when {time} < {first} then {first} else {time} end"


def _timestamp_of_text(r: str, clocks: Clocks, from_source: Callable[[str], str]) -> str:
    """The two spellings that programs write are told by their shape: patterns and trimming take four times as long."""
    quick, naive = f"try_cast({r} as timestamp)", f"try_cast(trim({r}) as timestamp)"
    is_quick = f"({r} like '____-__-__ __:__:__' or {r} like '____-__-__T__:__:__') and not ends_with({r}, 'Z')"
    utc = f"try_cast(rtrim(trim({r}), ' ZUTC') as timestamp)"
    joined = rf"regexp_replace(trim({r}), ' ([+-])', '\1')"  # DuckDB 1.5 takes no blank before an offset,
    whole = rf"regexp_replace({joined}, '([T ]\d\d?:\d\d)([+-])', '\1:00\2')"  # and wants the seconds with it
    instant = f"try_cast({whole} as timestamptz)"
    bare = [] if from_source(naive) == naive else [f"when regexp_full_match({r}, '{_DAY}') then {naive}"]
    shape = _NAIVE if bare else f"{_NAIVE}|{_DAY}"
    cases = [
        f"when {is_quick} then {from_source(quick)}",
        f"when {r} like '____-__-__T__:__:__Z' then {clocks.from_utc(quick)}",
        *bare,
        f"when regexp_full_match({r}, '{shape}') then {from_source(naive)}",
        f"when regexp_full_match({r}, '{_UTC}') then {clocks.from_utc(utc)}",
        f"when regexp_full_match({r}, '{_OFFSET}') then {clocks.from_instant(instant)}",
    ]
    return f"case {' '.join(cases)} end"
