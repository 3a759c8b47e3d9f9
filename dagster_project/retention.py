"""Raw usage that config no longer keeps: dropped once its daily facts exist, and read again when config asks for it.

What was dropped stays accounted for in raw_meta.dropped_rows, by file and day: how many rows, and a sum over their
content; a row without a file marks the last day dropped, whatever files say later. From it follow the first day whose
rows are all there, the first day whose facts can still be made, and whether a file that is read again brings news of a
dropped day. docs/decisions/0010 says why.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import duckdb

from dagster_project.entities import ENTITIES
from dagster_project.settings import DAYS_LOOKED_BACK, Settings
from dagster_project.warehouse import quoted, table_exists

ENTITY = "usage_events"
BOOKS = (
    """create table if not exists raw_meta.dropped_rows (
        file_id bigint, day date, rows bigint, fingerprint hugeint)""",
    """create table if not exists raw_meta.rows_taken_back (
        file_id bigint, day date, rows bigint, fingerprint hugeint)""",  # empty but while files are read again
    "create table if not exists raw_meta.days_not_taken (day date primary key, noted_at timestamp)",
)


class FactsDroppedError(Exception):
    """A day cannot be scored as asked: the raw usage that its facts would be made from again has been dropped."""


@dataclass(frozen=True)
class ReadAgain:
    """Files whose dropped rows config wants back, and the first day whose rows they are to bring (None: all)."""

    files: frozenset[str] = frozenset()
    from_day: date | None = None


def first_kept(con: duckdb.DuckDBPyConnection) -> date | None:
    """The first day whose raw usage is all there; None where nothing has been dropped."""
    if not table_exists(con, "raw_meta", "dropped_rows"):
        return None
    day = _day(con, "select max(day) from raw_meta.dropped_rows")
    return day and day + timedelta(days=1)


def first_rebuildable(con: duckdb.DuckDBPyConnection, settings: Settings) -> date | None:
    """The first day whose usage facts can be made again: repeats are looked for in the rows before it, too."""
    kept = first_kept(con)
    return kept and kept + timedelta(days=settings.retention.repeats_days)


def drop_old_usage(con: duckdb.DuckDBPyConnection, settings: Settings, newest: date) -> int:
    """Drop raw usage known more than `retention.usage_events_days` before `newest`; returns the number of rows.

    Days whose facts wait to be made, and all days after them, stay.
    """
    days = settings.retention.usage_events_days
    if days is None:
        return 0
    waiting = _day(con, f"select min(day) from raw_meta.open_days where entity = '{ENTITY}'")
    before = min(newest - timedelta(days=days), waiting or date.max)
    con.execute("begin")
    try:
        con.execute(
            f"insert into raw_meta.dropped_rows {_accounted('raw_files.usage_events', 'account_ref')}",
            {"before": before},
        )
        dropped = con.execute("delete from raw_files.usage_events where known_at < $before", {"before": before})
        rows = int((dropped.fetchone() or (0,))[0])
        if rows:
            _mark_dropped(con, before)
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return rows


def read_again(
    con: duckdb.DuckDBPyConnection, settings: Settings, newest: date | None, present: Collection[str]
) -> ReadAgain:
    """The files, of those `present`, whose dropped rows config keeps by now: `retention` was widened or taken out.

    A day of which another file is gone stays dropped, and with it the days before.
    """
    kept, days = first_kept(con), settings.retention.usage_events_days
    if kept is None:
        return ReadAgain()
    wanted = newest - timedelta(days=days) if days is not None and newest else None
    if wanted is not None and wanted >= kept:
        return ReadAgain()
    names = sorted(present)
    gone = _day(
        con,
        "select max(day) from raw_meta.dropped_rows semi join ("
        "select file_id from raw_meta.loaded_files where not list_contains($names, path)) using (file_id)",
        {"names": names},
    )
    wanted = max(wanted or date.min, gone + timedelta(days=1) if gone else date.min)
    found = con.execute(
        "select distinct path from raw_meta.dropped_rows join raw_meta.loaded_files using (file_id) where day >= $day",
        {"day": wanted},
    ).fetchall()
    return ReadAgain(frozenset(path for (path,) in found), wanted) if found else ReadAgain()


def account_for_old_rows(con: duckdb.DuckDBPyConnection, lines: str, through: str | None, kept: date) -> None:
    """Note the rows of staged `lines` that are older than what is kept: they are not stored."""
    sound = f"(select * from {lines} where _fault is null)"
    con.execute(
        f"insert into raw_meta.dropped_rows {_accounted(sound, '$through::varchar')}",
        {"before": kept, "through": through},
    )


def note_news(
    con: duckdb.DuckDBPyConnection, settings: Settings, files: Sequence[tuple[int, int | None]], at: datetime
) -> None:
    """Note the days of which new or changed files say something else than what was dropped; forget replaced files.

    `files` are the ids of a file and of what it replaces. Open days whose facts can no longer be made are noted, too.
    """
    con.execute(
        f"""
        insert or ignore into raw_meta.days_not_taken
        with brought as (
            select * from raw_meta.dropped_rows where list_contains($new::bigint[], file_id)
        ),
        before as (
            select * from raw_meta.dropped_rows where not list_contains($new::bigint[], file_id)
        ),
        taken_back as (
            select day, sum(rows) as rows, sum(fingerprint) as fingerprint from raw_meta.rows_taken_back group by day
        ),
        stored as (
            {_accounted("raw_files.usage_events", "account_ref")} having list_contains($new::bigint[], _file_id)
        ),
        as_before as (
            select day from (
                select day, sum(rows) as rows, sum(fingerprint) as fingerprint from stored group by day
            ) semi join taken_back using (day, rows, fingerprint)
        )
        select day, $at from (
            select day from brought anti join before using (day, rows, fingerprint)
            union
            select day from (select * from before where list_contains($old::bigint[], file_id))
            anti join brought using (day, rows, fingerprint)
            union
            select day from raw_meta.open_days where entity = $entity and day < $before
            and day not in (select day from as_before)
        )
        """,
        {
            "new": [new for new, _ in files],
            "old": [old for _, old in files if old is not None],
            "at": at,
            "entity": ENTITY,
            "before": first_rebuildable(con, settings),
        },
    )
    con.execute("delete from raw_meta.rows_taken_back")
    con.execute(
        "delete from raw_meta.dropped_rows where list_contains(?::bigint[], file_id)",
        [[old for _, old in files if old is not None]],
    )
    con.execute(
        "delete from raw_meta.open_days where entity = ? and day < ?", [ENTITY, first_rebuildable(con, settings)]
    )


def take_back(con: duckdb.DuckDBPyConnection, files: Sequence[int], from_day: date) -> None:
    """Forget that rows of these files were dropped: they are being read again. All facts will be made again."""
    con.execute(
        "insert into raw_meta.rows_taken_back "
        "select * from raw_meta.dropped_rows where list_contains(?::bigint[], file_id) and day >= ?",
        [list(files), from_day],
    )
    con.execute(
        "delete from raw_meta.dropped_rows using raw_meta.rows_taken_back as back "
        "where dropped_rows.file_id = back.file_id and dropped_rows.day = back.day"
    )
    con.execute("delete from raw_meta.dropped_rows where file_id is null and day >= ?", [from_day])
    if from_day > date.min:
        _mark_dropped(con, from_day)
    con.execute("delete from raw_meta.days_not_taken where day >= ?", [from_day])
    con.execute("drop table if exists raw_meta.facts_of_before")
    con.execute("drop table if exists raw_meta.facts_built")


def keep_facts_of_before(con: duckdb.DuckDBPyConnection, rebuildable: date) -> None:
    """Note that the facts of the days before `rebuildable` stay as an earlier configuration made them."""
    con.execute("create or replace table raw_meta.facts_of_before as select $day::date as before", {"day": rebuildable})


def refuse_facts_of_before(con: duckdb.DuckDBPyConnection, settings: Settings, from_day: date) -> None:
    """Raise FactsDroppedError where scoring from `from_day` on would read facts of an earlier configuration."""
    before = _facts_of_before(con)
    if before is None or from_day >= before + timedelta(days=DAYS_LOOKED_BACK):
        return
    raise FactsDroppedError(
        f"Days before {before + timedelta(days=DAYS_LOOKED_BACK)} cannot be scored again: they rest on usage known "
        f"before {before}, whose daily facts an earlier configuration (time zone, mapping, key features) made and "
        f"whose raw rows have been dropped ({_rule(settings)}). Score later days, or {_remedy(settings, from_day)}"
        + ("." if settings.retention.usage_events_days else ", or put `retention` back as it was.")
    )


def told(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """What a person should know about dropped usage, in sentences; none where it bears on nothing."""
    kept = first_kept(con)
    if kept is None:
        return []
    said = []
    days, first, last = con.execute("select count(*), min(day), max(day) from raw_meta.days_not_taken").fetchone() or (
        0, None, None,
    )  # fmt: skip
    if first:
        said.append(
            f"Files brought usage known on {days} days between {first} and {last} that is not worked in: the raw usage "
            f"known before {kept} has been dropped ({_rule(settings)}). To have it, "
            + _remedy(settings, max(first, settings.days.first))
        )
    before = _facts_of_before(con)
    if before:
        said.append(
            f"Usage known before {before} keeps the daily facts that an earlier configuration made: its raw rows have "
            f"been dropped ({_rule(settings)}). For days from {before + timedelta(days=DAYS_LOOKED_BACK)} on it bears "
            f"on nothing but the first and last use ever; earlier ones are not scored again. To change that, "
            f"{_remedy(settings, settings.days.first)}"
        )
    if settings.retention.usage_events_days is None:
        said.append(
            f"Raw usage known before {kept} was dropped and cannot be read again: files that held it are gone. Its "
            "daily facts stay; a copy that comes now of one of its events is not seen to be one"
        )
    return said


def _rule(settings: Settings) -> str:
    if settings.retention.usage_events_days is None:
        return "retention.usage_events_days in pipeline.yml, which is out by now; files that held them are gone"
    return f"retention.usage_events_days: {settings.retention.usage_events_days} in pipeline.yml"


def _remedy(settings: Settings, first: date) -> str:
    if settings.retention.usage_events_days is None:
        return f"bring those files back and run `health run --from {first}`"
    return (
        f"take retention.usage_events_days out of pipeline.yml and run `health run --from {first}`: files that are "
        "still there are read again"
    )


def _facts_of_before(con: duckdb.DuckDBPyConnection) -> date | None:
    if not table_exists(con, "raw_meta", "facts_of_before"):
        return None
    return _day(con, "select before from raw_meta.facts_of_before")


def _mark_dropped(con: duckdb.DuckDBPyConnection, before: date) -> None:
    """All days before this one count as dropped."""
    con.execute("insert into raw_meta.dropped_rows values (null, ?, 0, 0)", [before - timedelta(days=1)])


def _accounted(rows: str, through: str) -> str:
    """By file and day: how many rows are older than $before, and a sum over what they say, in whatever order."""
    columns = ", ".join(f"coalesce({quoted(name)}::varchar, chr(30))" for name in ENTITIES[ENTITY].columns)
    content = f"concat_ws(chr(31), {columns}, coalesce({through}, chr(30)))"
    return (
        f"select _file_id, cast(known_at as date) as day, count(*) as rows, "
        f"sum(md5_number_lower({content})::hugeint) as fingerprint from {rows} where known_at < $before group by all"
    )


def _day(con: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, object] | None = None) -> date | None:
    row = con.execute(query, parameters or {}).fetchone()
    return row[0] if row else None
