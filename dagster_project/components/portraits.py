"""What a person wants to see of a table in the Dagster UI: rows, the distribution of the scores, the open breaches.

Numbers stand by themselves beside the tables, because the UI plots each over time.
"""

from __future__ import annotations

import base64
from typing import Any

import dagster as dg
import duckdb

from dagster_project.components import common

BAND_COLOURS = {"red": "#c0392b", "yellow": "#c98a00", "green": "#2e8b57", "insufficient_data": "gray"}
BINS = 20


def table_metadata(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Metadata by `schema/table`: rows for every table, and more for the marts that people open first."""
    tables = connection.execute(
        "select schema_name, table_name, estimated_size from duckdb_tables() where not temporary"
    ).fetchall()
    known: dict[str, dict[str, Any]] = {
        f"{schema}/{name}": {"dagster/row_count": rows} for schema, name, rows in tables
    }
    portraits = {
        "marts/current_health": _scores,
        "marts/fct_breaches": _breaches,
        "marts/fct_input_issues": _issues,
    }
    for table, portrait in portraits.items():
        if table in known:
            known[table] |= portrait(connection)
    return known


def _scores(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    bands = connection.execute(
        "select band, count(*), cast(round(coalesce(sum(arr), 0)) as bigint), round(avg(score), 1), "
        "round(100 * avg(coverage)) from marts.current_health group by band order by avg(score) nulls last"
    ).fetchall()
    bins = connection.execute(
        "select least(floor(score / ?), ?)::integer, band, count(*) from marts.current_health "
        "where score is not null group by all",
        [100 / BINS, BINS - 1],
    ).fetchall()
    day, accounts, score, coverage = connection.execute(
        "select max(day), count(*), avg(score), avg(coverage) from marts.current_health"
    ).fetchall()[0]
    metadata: dict[str, Any] = {
        "day": str(day or "none yet"),
        "accounts": accounts,
        **{f"accounts_{band}": sum(row[1] for row in bands if row[0] == band) for band in BAND_COLOURS},
        "score_distribution": dg.MetadataValue.md(f"![accounts by score]({_as_url(histogram(bins))})"),
        **common.table("bands", ("band", "accounts", "ARR", "mean score", "mean coverage %"), bands),
    }
    means = {"mean_score": score, "mean_coverage": coverage}
    return metadata | {name: round(value, 3) for name, value in means.items() if value is not None}


def histogram(bins: list[tuple[int, str, int]]) -> str:
    """Accounts by score as an SVG picture, bars coloured by band. `bins`: (bin number, band, accounts).

    Terse on purpose: the UI shows text of less than 1,000 characters in its place, a longer one behind a link.
    """
    width, base, top, step = 640, 150, 20, 32
    heights = [sum(count for place, _, count in bins if place == number) for number in range(BINS)]
    scale = (base - top) / max([*heights, 1])
    bars = dict.fromkeys(BAND_COLOURS, "")
    labels = "".join(f'<text x="{score * width // 100}" y="{base + 16}">{score}</text>' for score in range(20, 100, 20))
    for number in range(BINS):
        x, y = step * number + step // 2, float(base)
        for band in bars:
            tall = scale * sum(count for place, name, count in bins if (place, name) == (number, band))
            if tall:
                bars[band] += f"M{x} {y:.0f}v-{max(tall, 1):.0f}"
                y -= tall
        if heights[number] and heights[number] == max(heights):
            labels += f'<text x="{x}" y="{y - 5:.0f}">{heights[number]}</text>'
    paths = [f'<path stroke="{BAND_COLOURS[band]}" d="{path}"/>' for band, path in bars.items() if path]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{base + 24}" font-family="sans-serif" '
        f'font-size="12" text-anchor="middle"><g stroke-width="{step - 2}">{"".join(paths)}</g>{labels}</svg>'
    )


def _as_url(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _breaches(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rules = connection.execute(
        """
        select
            title,
            severity,
            count(*) filter (is_open),
            count(*) filter (opened_on = (select max(day) from marts.fct_health_scores)),
            count(*)
        from marts.fct_breaches
        group by all
        order by severity, title
        """
    ).fetchall()
    return {
        "open": sum(row[2] for row in rules),
        "opened_on_newest_day": sum(row[3] for row in rules),
        **common.table("by_rule", ("rule", "severity", "open now", "opened on the newest day", "ever"), rules),
    }


def _issues(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    issues = connection.execute(
        "select entity, title, rows, example from marts.fct_input_issues order by rows desc, entity, title"
    ).fetchall()
    return {
        "rows_with_issues": sum(row[2] for row in issues),
        **common.table("issues", ("entity", "issue", "rows", "first example"), issues),
    }
