"""`health explain`: a score's arithmetic, from the published mart."""

from __future__ import annotations

import sys
from datetime import date

import duckdb
from rich.console import Console
from rich.table import Table

from dagster_project.commands.family import family, in_words, related
from dagster_project.report.summary import points as shown_score
from dagster_project.report.summary import signed
from dagster_project.report.terminal import clean
from dagster_project.settings import Settings

WIDTH = 110
SPANS = (1, 7, 30)  # days over which the mart splits changes
MISSING = {
    "no_data": "no data",
    "stale": "too old",
    "few_peers": "few peers",
    "no_baseline": "no past yet",
    "feed_outage": "its feed is down",
    "in_grace": "not asked for yet",
}
EFFECTS = {
    "value": "its value changed",
    "weight": "its weight changed",
    "appeared": "is known now",
    "disappeared": "is not known any more",
    "exception": "exceptions",
    "override": "overrides",
    "version": "scorecard version",
}


def explain_account(settings: Settings, account: str, on: date | None, lens: str, span_days: int) -> int:
    """Print how the score of one account and day came about, and what moved it over so many days (1, 7 or 30).

    Returns 0, or 1 if there is no such score.
    """
    path = settings.mart_folder / "mart.duckdb"
    if not path.exists():
        print(f"{path} is not there yet: `health run` makes it.", file=sys.stderr)
        return 1
    with duckdb.connect(str(path), read_only=True) as mart:
        found = _find_account(mart, account)
        if found is None:
            print(_unknown_account(mart, account), file=sys.stderr)
            return 1
        console = Console(width=WIDTH, markup=False, emoji=False, highlight=False)
        score = _score(mart, found[0], on, lens)
        if score is None:
            together = family(mart, found[0], on, lens)
            if together is None:
                print(_no_score(mart, found[0], on, lens), file=sys.stderr)
                return 1
            console.print(
                f"{clean(found[1])} ({clean(found[0])}) on {together['day']}: not judged itself. {in_words(together)}"
            )
            return 0
        measures, effects = _measures(mart, score), _effects(mart, score, span_days)
        relations = related(mart, str(score["account_id"]), score["day"], lens)
    _print(console, found[1], score, measures)
    for line in relations:
        console.print(line)
    _print_change(console, effects, span_days)
    return 0


def _find_account(mart: duckdb.DuckDBPyConnection, account: str) -> tuple[str, str] | None:
    """(account_id, account_name) by id, else by exact name."""
    row = mart.execute(
        "select account_id, account_name from marts.dim_accounts where account_id = $it or account_name = $it "
        "order by account_id <> $it limit 1",
        {"it": account},
    ).fetchone()
    return (row[0], row[1]) if row else None


def _unknown_account(mart: duckdb.DuckDBPyConnection, account: str) -> str:
    near = mart.execute(
        "select account_id || ' (' || account_name || ')' from marts.dim_accounts "
        "order by greatest(jaro_winkler_similarity(lower(account_name), lower($it)), "
        "jaro_winkler_similarity(lower(account_id), lower($it))) desc, account_id limit 3",
        {"it": account},
    ).fetchall()
    return f"No account has the id or name '{account}'. Nearest: " + "; ".join(clean(row[0]) for row in near)


def _score(mart: duckdb.DuckDBPyConnection, account_id: str, on: date | None, lens: str) -> dict[str, object] | None:
    cursor = mart.execute(
        """
        select scores.*, scorecards.title
        from marts.fct_health_scores as scores
        join marts.dim_scorecards as scorecards using (scorecard_hash)
        where scores.account_id = $account and scores.lens = $lens and ($on is null or scores.day = $on)
          and scores.scorecard_status = 'active'
        order by scores.day desc, scorecards.is_current desc, scores.scorecard_hash
        limit 1
        """,
        {"account": account_id, "lens": lens, "on": on},
    )
    names = [column[0] for column in cursor.description or []]
    row = cursor.fetchone()
    return dict(zip(names, row, strict=True)) if row else None


def _no_score(mart: duckdb.DuckDBPyConnection, account_id: str, on: date | None, lens: str) -> str:
    lenses = [row[0] for row in mart.execute("select distinct lens from marts.dim_scorecards order by 1").fetchall()]
    if lens not in lenses:
        return f"No scorecard has the lens '{lens}'. Lenses: {', '.join(lenses)}"
    days = mart.execute(
        "select min(day), max(day) from marts.fct_health_scores where account_id = ? and lens = ?", [account_id, lens]
    ).fetchone()
    if days is None or days[0] is None:
        return f"Account {account_id} was never scored under the lens '{lens}'."
    return f"Account {account_id} has no score on {on}: it was scored from {days[0]} to {days[1]}."


def _measures(mart: duckdb.DuckDBPyConnection, score: dict[str, object]) -> list[tuple[object, ...]]:
    return mart.execute(
        """
        select coalesce(names.group_title, scores.measure_group), coalesce(names.title, scores.measure), scores.value,
               names.unit, scores.sample_size, scores.observed_at, scores.measure_score, scores.weight_in_force,
               names.weight_percent, scores.contribution, scores.points_lost, scores.missing_reason, scores.is_ageing,
               scores.measure
        from marts.fct_measure_scores as scores
        left join marts.dim_scorecard_measures as names using (scorecard_hash, measure)
        where scores.account_id = $account_id and scores.day = $day and scores.scorecard_hash = $scorecard_hash
        order by names.group_weight_percent desc, 1, names.weight_percent desc, 2
        """,
        {name: score[name] for name in ("account_id", "day", "scorecard_hash")},
    ).fetchall()


def _effects(mart: duckdb.DuckDBPyConnection, score: dict[str, object], span_days: int) -> list[tuple[object, ...]]:
    return mart.execute(
        """
        select changes.effect, coalesce(names.title, changes.measure), names.unit, changes.value_before,
               changes.value_after, changes.points, changes.score_before, changes.score_after, changes.compared_day
        from marts.fct_score_changes as changes
        left join marts.dim_scorecard_measures as names
            on names.scorecard_hash = changes.scorecard_hash_before and names.measure = changes.measure
        where changes.account_id = $account_id and changes.day = $day and changes.lens = $lens
          and changes.scorecard_hash = $scorecard_hash and changes.span_days = $span_days
        order by abs(changes.points) desc nulls first, changes.effect, changes.measure
        """,
        {
            **{name: score[name] for name in ("account_id", "day", "lens", "scorecard_hash")},
            "span_days": span_days,
        },
    ).fetchall()


def _print(console: Console, name: str, score: dict[str, object], measures: list[tuple[object, ...]]) -> None:
    console.print(f"{clean(name)} ({clean(str(score['account_id']))}) on {score['day']}: {_verdict(score)}")
    console.print(
        f"Scorecard: {score['title']}, version {score['scorecard_version']} ({score['scorecard_hash']}). "
        f"{score['measures_present']} of {score['measures_expected']} measures known: coverage "
        f"{_number(score['coverage'], 100)} %. With the missing at 0 the score would be {_number(score['score_low'])}, "
        f"at 100 it would be {_number(score['score_high'])}."
    )
    table = Table(box=None, pad_edge=False)
    for title in ("group", "measure"):
        table.add_column(title, overflow="fold")
    for title in ("value", "facts", "newest", "score", "weight", "points", "lost"):
        table.add_column(title, justify="right")
    for row in measures:
        group, measure, value, unit, facts, newest, points, weight, written, contribution, lost, missing, ageing, _ = (
            row
        )
        if missing:
            why = MISSING.get(str(missing), str(missing))
            table.add_row(
                clean(str(group)),
                clean(str(measure)),
                why,
                "",
                str(newest or ""),
                "–",
                f"({_number(written)} %)",
                "–",
                "–",
            )
            continue
        table.add_row(
            clean(str(group)), clean(str(measure)), _value(value, unit), str(facts), f"{newest}{'*' if ageing else ''}",
            _number(points), f"{_number(weight, 100)} %", _number(contribution), _number(lost),
        )  # fmt: skip
    table.add_row("", "sum", "", "", "", "", "", _number(score["raw_score"]), "")
    console.print(table)
    if score["adjustment"]:
        console.print(
            f"Then: {clean(str(score['adjustment']))}. Score in force: {shown_score(_float(score['score']))}."
        )
    lenses = [str(row[-1]).removeprefix("lens:") for row in measures if str(row[-1]).startswith("lens:")]
    if lenses:
        console.print(f"Each of these is a score of its own: --lens {' or '.join(lenses)} tells how it came about.")
    trends = [(days, score[f"trend_{days}d"]) for days in (7, 30, 90)]
    known = [f"{signed(float(str(change)), 1)} in {days} days" for days, change in trends if change is not None]
    console.print("Change: " + (", ".join(known) if known else "not known, there is no earlier score") + ".")
    console.print("weight: in force, after the missing measures' weight went to the others; in brackets: as written.")
    if any(row[-2] for row in measures):
        console.print("*: will soon be too old to count.")


def _print_change(console: Console, effects: list[tuple[object, ...]], span_days: int) -> None:
    since = f"{span_days} days" if span_days > 1 else "a day"
    if not effects:
        console.print(f"\nAgainst {since} before: nothing moved the score, or it was not scored then.")
        return
    before, after, compared_day = (*map(_float, effects[0][6:8]), effects[0][8])
    if before is None or after is None:
        what = "had too little data to be judged" if before is None else "can be judged no more"
        console.print(f"\nAgainst {compared_day}: there is no difference to split, the account {what}.")
        return
    difference = after - before
    console.print(
        f"\nWhat moved it since {compared_day}: {shown_score(before)} to {shown_score(after)}, "
        f"{signed(difference, 1)}, exactly the sum of these points"
    )
    table = Table(box=None, pad_edge=False)
    for title in ("effect", "measure"):
        table.add_column(title, overflow="fold")
    for title in ("before", "after", "points"):
        table.add_column(title, justify="right")
    for effect, measure, unit, value_before, value_after, points, *_ in effects:
        table.add_row(
            EFFECTS[str(effect)], clean(str(measure or "")), _known(value_before, unit), _known(value_after, unit),
            signed(float(str(points)), 2),
        )  # fmt: skip
    table.add_row("sum", "", "", "", signed(difference, 2))
    console.print(table)


def _float(value: object) -> float | None:
    return None if value is None else float(str(value))


def _known(value: object, unit: object) -> str:
    return "" if value is None else _value(value, unit)


def _verdict(score: dict[str, object]) -> str:
    if score["status"] == "in_grace":
        return f"too new to judge (the {_number(score['raw_score'])} of what is known does not count yet)"
    if score["raw_score"] is None:
        return "nothing is known to judge it by"
    if score["score"] is None:
        return f"too little data to judge (the {_number(score['raw_score'])} of what is known does not count)"
    return f"{shown_score(_float(score['score']))}, {score['band']}"


def _number(value: object, factor: float = 1) -> str:
    return "–" if value is None else f"{float(str(value)) * factor:.1f}"


def _value(value: object, unit: object) -> str:
    number = float(str(value))
    if unit in ("ratio", "change"):
        return f"{number * 100:.1f} %"
    return f"{number:,.1f}" if unit != "days" else f"{number:.0f} d"
