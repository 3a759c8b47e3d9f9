"""What a person wants to see of a table in the Dagster UI: rows, the distribution of the scores, the open breaches."""

from __future__ import annotations

import base64
from typing import Any

import dagster as dg
import duckdb

BAND_COLOURS = {"red": "#c0392b", "yellow": "#c98a00", "green": "#2e8b57", "insufficient_data": "#7f8c8d"}
BINS = 20


def table_metadata(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Metadata by `schema/table`: rows for every table, and a picture for the marts that people open first."""
    tables = connection.execute(
        "select schema_name, table_name, estimated_size from duckdb_tables() where not temporary"
    ).fetchall()
    known: dict[str, dict[str, Any]] = {
        f"{schema}/{name}": {"dagster/row_count": rows} for schema, name, rows in tables
    }
    if "marts/current_health" in known:
        known["marts/current_health"] |= _scores(connection)
    if "marts/fct_breaches" in known:
        known["marts/fct_breaches"] |= _breaches(connection)
    if "marts/fct_input_issues" in known:
        known["marts/fct_input_issues"] |= _issues(connection)
    return known


def _scores(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    bands = connection.execute(
        "select band, count(*), cast(coalesce(sum(arr), 0) as double), avg(score), avg(coverage) "
        "from marts.current_health group by band order by avg(score) nulls last"
    ).fetchall()
    bins = connection.execute(
        "select least(floor(score / ?), ?)::integer, band, count(*) from marts.current_health "
        "where score is not null group by all",
        [100 / BINS, BINS - 1],
    ).fetchall()
    day = connection.execute("select max(day) from marts.current_health").fetchone()
    records = [
        dg.TableRecord(
            {
                "band": band,
                "accounts": count,
                "arr": round(arr),
                "mean score": None if score is None else round(score, 1),
                "mean coverage": round(coverage, 3),
            }
        )
        for band, count, arr, score, coverage in bands
    ]
    metadata: dict[str, Any] = {
        "day": str(day[0]) if day else None,
        "score_distribution": dg.MetadataValue.md(f"![accounts by score]({_as_url(histogram(bins))})"),
    }
    return metadata | ({"bands": dg.MetadataValue.table(records)} if records else {})


def histogram(bins: list[tuple[int, str, int]]) -> str:
    """Accounts by score as an SVG picture, bars coloured by band. `bins`: (bin number, band, accounts)."""
    width, height, left, bottom = 640, 220, 40, 30
    totals = [sum(count for place, _, count in bins if place == number) for number in range(BINS)]
    most = max([*totals, 1])
    step = (width - left) / BINS
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        'font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number in range(BINS):
        top = float(height - bottom)
        for band, colour in BAND_COLOURS.items():
            count = sum(found for place, name, found in bins if place == number and name == band)
            tall = (height - bottom - 20) * count / most
            top -= tall
            if count:
                parts.append(
                    f'<rect x="{left + number * step + 1:.1f}" y="{top:.1f}" width="{step - 2:.1f}" '
                    f'height="{tall:.1f}" fill="{colour}"><title>{count} {band}</title></rect>'
                )
        if totals[number]:
            parts.append(
                f'<text x="{left + (number + 0.5) * step:.1f}" y="{top - 4:.1f}" text-anchor="middle" fill="#333">'
                f"{totals[number]}</text>"
            )
    for score in range(0, 101, 10):
        parts.append(
            f'<text x="{left + score / 100 * (width - left) - (8 if score == 100 else 0):.1f}" y="{height - 12}" '
            f'text-anchor="middle" fill="#333">{score}</text>'
        )
    return "".join(parts) + "</svg>"


def _as_url(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _breaches(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rules = connection.execute(
        "select rule, count(*) filter (is_open), count(*) from marts.fct_breaches group by rule order by rule"
    ).fetchall()
    records = [dg.TableRecord({"rule": rule, "open": now, "ever": ever}) for rule, now, ever in rules]
    return {"by_rule": dg.MetadataValue.table(records)} if records else {}


def _issues(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    issues = connection.execute(
        "select entity, title, rows, example from marts.fct_input_issues order by rows desc, entity, title"
    ).fetchall()
    names = ("entity", "issue", "rows", "example")
    records = [dg.TableRecord(dict(zip(names, row, strict=True))) for row in issues]
    return {"issues": dg.MetadataValue.table(records)} if records else {}
